"""The strong Python baseline: FastAPI, aiohttp, ujson, no response model."""

import os
import ssl

import aiohttp
import ujson
from fastapi import Response

import twin


class Client:
    """One pooled session; bodies and replies through ujson."""

    async def start(self):
        ca = os.environ.get("PEER_CA_FILE")
        context = ssl.create_default_context(cafile=ca) if ca else None
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=context)
            if context else aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=60))

    async def stop(self):
        await self.session.close()

    async def post(self, url, headers, body):
        headers = dict(headers)
        headers["Content-Type"] = "application/json"
        async with self.session.post(
                url, headers=headers, data=ujson.dumps(body)) as reply:
            data = await reply.read()
            if reply.status != 200:
                raise RuntimeError("%s: %d" % (url, reply.status))
            return ujson.loads(data)


def respond(answer):
    return Response(ujson.dumps(answer), media_type="application/json")


app = twin.make_app(Client(), respond)
