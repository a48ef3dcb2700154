"""Presigns one URL for each line of a file with boto3: one kept client, one thread.

    presign.py FILE ROUNDS BUCKET REGION INSTANT [print]

Prints JSON of units, seconds and cpu; with `print` the URLs instead. Keys come from the environment.
"""

import datetime
import json
import resource
import sys
import time

import botocore.auth
import botocore.config
import boto3


def main(file, rounds, bucket, region, instant, mode="measure"):
    at = datetime.datetime.fromisoformat(instant.replace("Z", "+00:00")).replace(tzinfo=None)
    # botocore has no option for the instant of a signature.
    botocore.auth.get_current_datetime = lambda *_, **__: at
    with open(file, encoding="utf-8", newline="\n") as lines:
        keys = [line.rstrip("\n") for line in lines]
    config = botocore.config.Config(signature_version="s3v4", s3={"addressing_style": "virtual"})
    client = boto3.client("s3", region_name=region, endpoint_url=f"https://s3.{region}.amazonaws.com", config=config)

    def presign(key):
        return client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=900)

    if mode == "print":
        sys.stdout.writelines(presign(key) + "\n" for key in keys)
        return
    sink = sum(len(presign(key)) for key in keys[:500])
    before, since = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    for _ in range(int(rounds)):
        for key in keys:
            sink += len(presign(key))
    seconds, after = time.perf_counter() - since, resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"units": int(rounds) * len(keys), "seconds": seconds, "cpu": cpu, "sink": sink}))


main(*sys.argv[1:])
