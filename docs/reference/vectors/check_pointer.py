import re, sys
text = open(sys.argv[1], "rb").read().decode()
lines = [line.split(" ", 1) for line in text.removesuffix("\n").split("\n")]
order = ["version", "url", "path", "size", "etag", "checksum", "source", "key"]
ranks = [order.index(key) for key, _ in lines]
plain = not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]", text) and text.endswith("\n") and len(text.encode()) <= 24576
once = all(key == "checksum" or ranks.count(order.index(key)) == 1 for key, _ in lines)
if not (plain and once and ranks == sorted(ranks) and lines[0][1] == "package-r/pointer/1"): sys.exit("not a pointer file")
for key, value in lines[1:]: print("%s=%s" % (key, value))
