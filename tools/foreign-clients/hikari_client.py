"""hikari against a replay gateway: logs in, counts what comes, tells what it saw as JSON."""

import asyncio
import json
import logging
import os
import sys

if os.environ["COMPRESSION"] == "zlib":
    sys.modules["backports.zstd"] = None  # it takes zstd-stream whenever it can

import hikari

BASE = os.environ["GATEWAY_HTTP"]
logging.basicConfig(level=logging.WARNING, stream=sys.stderr)


async def main():
    bot = hikari.GatewayBot(
        os.environ["TOKEN"],
        rest_url=f"{BASE}/api/v10",
        intents=hikari.Intents.ALL,
        banner=None,
        auto_chunk_members=False,
        logs=None,
    )
    seen = {"ready": 0, "resumed": 0, "events": 0}

    @bot.listen()
    async def on_payload(event: hikari.ShardPayloadEvent) -> None:
        seen["events"] += 1

    @bot.listen()
    async def on_ready(event: hikari.ShardReadyEvent) -> None:
        seen["ready"] += 1

    @bot.listen()
    async def on_resumed(event: hikari.ShardResumedEvent) -> None:
        seen["resumed"] += 1

    report = {"client": "hikari", "version": hikari.__version__}
    try:
        await bot.start(check_for_updates=False)
        want = int(os.environ["EVENTS"])
        for _ in range(int(os.environ["SECONDS_MAX"]) * 10):
            if seen["resumed"] >= 2 and seen["events"] >= want:
                break
            await asyncio.sleep(0.1)
        report["user"] = str(bot.get_me())
        application = await bot.rest.fetch_application()
        report["application"] = int(application.id)
        guilds = await bot.rest.fetch_my_guilds()
        report["guilds"] = len(guilds)
        await bot.close()
    except Exception as error:  # whatever it is, it belongs in the table
        report["error"] = repr(error)
    report |= {"identified": seen["ready"], "events": seen["events"], "resumed": seen["resumed"]}
    print(json.dumps(report))


asyncio.run(main())
