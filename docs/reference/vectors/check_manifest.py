import hashlib, json, sys
index, lines, last = hashlib.sha256(), hashlib.sha256(), None
for line in open(sys.argv[1], "rb"):
    path = json.loads(line)["path"].encode()
    if last is not None and path <= last: sys.exit("not in byte order: %r" % path)
    last, border = path, hashlib.sha256(path).digest()[0] == 0
    lines.update(line)
    if border: index.update(lines.hexdigest().encode() + b"\n"); lines = hashlib.sha256()
if last is not None and not border: index.update(lines.hexdigest().encode() + b"\n")
print("sha256:" + index.hexdigest())
