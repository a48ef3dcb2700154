"""The peer quilt3: set and build, metadata only. NDJSON REGISTRY; prints what it took as JSON. Start-up and reading the list do not count."""
import json, pathlib, resource, sys, time

from quilt3 import Package
from quilt3.packages import PackageEntry
from quilt3.util import PhysicalKey

with open(sys.argv[1]) as lines:
    objects = [json.loads(line) for line in lines]
registry = pathlib.Path(sys.argv[2])
used = lambda: sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
since, before = time.monotonic(), used()
package = Package()
for one in objects:
    place = PhysicalKey("archive", one["key"], None)
    package.set(one["key"], PackageEntry(place, one["size"], {"type": "SHA256", "value": one["sha256"]}, {}))
set_at = time.monotonic()
package.build("bench/million", registry=registry.as_uri())
seconds, cpu = time.monotonic() - since, used() - before
manifest = max((registry / ".quilt" / "packages").glob("*" * 1), key=lambda path: path.stat().st_size if path.is_file() else 0)
entries = sum(1 for _ in open(manifest)) - 1
print(json.dumps({"seconds": seconds, "set": set_at - since, "cpu": cpu, "entries": entries}))
