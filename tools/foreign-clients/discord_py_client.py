"""discord.py against a replay gateway: logs in, counts what comes, tells what it saw as JSON."""

import asyncio
import json
import logging
import os
import sys

if os.environ["COMPRESSION"] == "zlib":
    sys.modules["zstandard"] = None  # it takes zstd-stream whenever it can

import discord
import discord.gateway
import discord.http
import yarl

BASE = os.environ["GATEWAY_HTTP"]
discord.http.Route.BASE = f"{BASE}/api/v10"
discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(BASE.replace("http", "ws", 1))
logging.basicConfig(level=logging.WARNING, stream=sys.stderr)


class Client(discord.AutoShardedClient):
    def __init__(self):
        intents = discord.Intents.all()
        super().__init__(intents=intents, enable_debug_events=True, chunk_guilds_at_startup=False)
        self.seen, self.readies, self.resumes, self.events = set(), 0, 0, 0

    async def on_socket_raw_receive(self, text):
        payload = json.loads(text)
        if payload["op"] == 0:
            self.seen.add(payload["s"])
            self.events += 1

    async def on_shard_ready(self, shard_id):
        self.readies += 1

    async def on_shard_resumed(self, shard_id):
        self.resumes += 1

    async def on_error(self, event, *args):
        logging.exception("in %s", event)


async def main():
    client = Client()
    task = asyncio.create_task(client.start(os.environ["TOKEN"]))
    want = int(os.environ["EVENTS"])
    for _ in range(int(os.environ["SECONDS_MAX"]) * 10):
        if task.done() or (client.resumes >= 2 and client.events >= want):
            break
        await asyncio.sleep(0.1)
    report = {
        "client": "discord.py",
        "version": discord.__version__,
        "identified": client.readies,
        "events": client.events,
        "missing": max(client.seen, default=0) - len(client.seen),
        "resumed": client.resumes,
        "user": str(client.user),
        "application": client.application_id,
    }
    await client.close()
    if task.done() and task.exception():
        report["error"] = repr(task.exception())
    print(json.dumps(report))


asyncio.run(main())
