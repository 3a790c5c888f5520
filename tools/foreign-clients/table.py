"""Reads the pairs of reports (a client's, the gateway's) of a run and prints the table."""

import json
import pathlib
import sys

COLUMNS = [
    "client", "version", "compression", "on the wire", "identified", "events", "missing", "after op 7",
    "after drop", "identifies", "heartbeats", "verdict",
]


def last_json(path):
    lines = path.read_text().strip().splitlines() if path.exists() else []
    for line in reversed(lines):
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            return value
    return {}


rows, good = [COLUMNS], True
for folder in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    client, gateway = last_json(folder / "client.out"), last_json(folder / "gateway.out")
    shard = gateway.get("shards", {}).get("0", {})
    resumes, resumed = len(shard.get("resume_ms", [])), gateway.get("resumed", 0)
    wanted = folder.name.split("-", 2)[2]
    wire = ",".join(sorted(gateway.get("compressions", {})))
    if wire == "none" and gateway.get("payload_compressions", 0) > 0:
        wire = "payload"
    kinds = {"zlib": "zlib-stream", "native": "zlib-stream", "zlib-sync": "zlib-stream",
             "zstd": "zstd-stream"}
    fine = (
        client.get("identified") == 1 and client.get("resumed", 0) >= 2
        and client.get("missing", 0) == 0 and gateway.get("identifies") == 1
        and resumed == 2 and "error" not in client and wire == kinds.get(wanted, wanted)
    )
    good &= fine
    rows.append([
        client.get("client", folder.name), client.get("version", "?"), wanted, wire,
        client.get("identified", 0), client.get("events", 0), client.get("missing", "-"),
        "RESUMED" if resumes >= 1 and resumed >= 1 else "no",
        "RESUMED" if resumes >= 2 and resumed >= 2 else "no",
        gateway.get("identifies", "?"), gateway.get("heartbeats", "?"),
        "ok" if fine else client.get("error", "see " + str(folder)),
    ])
widths = [max(len(str(row[at])) for row in rows) for at in range(len(COLUMNS))]
for row in rows:
    print("  ".join(str(cell).ljust(width) for cell, width in zip(row, widths)).rstrip())
sys.exit(0 if good else 1)
