"""The usual way: FastAPI with httpx and a response model."""

import os

import httpx

import twin


class Client:
    """One pooled client, the same limits as the other twin."""

    async def start(self):
        self.client = httpx.AsyncClient(
            verify=os.environ.get("PEER_CA_FILE", True), timeout=60,
            limits=httpx.Limits(max_connections=None,
                                max_keepalive_connections=None))

    async def stop(self):
        await self.client.aclose()

    async def post(self, url, headers, body):
        reply = await self.client.post(url, headers=headers, json=body)
        reply.raise_for_status()
        return reply.json()


app = twin.make_app(Client(), lambda answer: answer,
                    response_model=twin.ChatResponse)
