"""Names, sizes and CRCs of the pointer files in archives, which must be the same in all: python3 check.py ZIP…"""

import sys
import zipfile

seen = []
for path in sys.argv[1:]:
    archive = zipfile.ZipFile(path)
    broken = archive.testzip()
    if broken is not None:
        sys.exit(f"{path}: {broken} is broken")
    members = [one for one in archive.infolist() if one.filename.endswith(".pointer")]
    seen.append({one.filename: (one.file_size, one.CRC, one.compress_type) for one in members})
if any(one != seen[0] for one in seen):
    sys.exit("the archives do not hold the same pointer files")
print(len(seen[0]))
