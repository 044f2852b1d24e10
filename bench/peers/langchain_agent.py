"""What the service replaces: FastAPI and LangChain, with Gemini and Pinecone.

Async all the way, every client made once, and no more of LangChain than the
job needs (a vector store, a prompt template, a chat model), so that its
figures are as good as an honest user of it gets them. The request and answer
shapes are the twins'.
"""

import os
import ssl
from contextlib import asynccontextmanager
from typing import Optional

import certifi

import twin
from fastapi import FastAPI, Header, HTTPException
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_google_genai import (
    ChatGoogleGenerativeAI, GoogleGenerativeAIEmbeddings)
from langchain_pinecone import PineconeVectorStore
from pinecone import PineconeAsyncio

CA = os.environ.get("PEER_CA_FILE")
PROMPT = ChatPromptTemplate.from_messages([
    ("system", "{system}\n\nSources:\n\n{context}"),
    MessagesPlaceholder("history"),
    ("human", "{message}"),
])


class Agent:
    """The clients, made once, and the chain over them."""

    async def start(self):
        args = {"verify": ssl.create_default_context(cafile=CA)} if CA else {}
        key = os.environ["GOOGLE_API_KEY"]
        self.model = ChatGoogleGenerativeAI(
            model=twin.MODEL, google_api_key=key, base_url=twin.GEMINI,
            client_args=args, max_retries=1)
        self.embedder = GoogleGenerativeAIEmbeddings(
            model="models/" + twin.EMBEDDER, google_api_key=key,
            base_url=twin.GEMINI, client_args=args,
            output_dimensionality=twin.DIMENSIONS)
        self.pinecone = PineconeAsyncio(
            api_key=os.environ["PINECONE_API_KEY"],
            ssl_ca_certs=CA or certifi.where())
        self.index = self.pinecone.IndexAsyncio(host=twin.PINECONE)
        self.store = PineconeVectorStore(
            index=self.index, embedding=self.embedder)
        await self.store.__aenter__()
        self.chain = PROMPT | self.model

    async def stop(self):
        await self.store.aclose()
        await self.pinecone.close()

    async def sources(self, body):
        found = await self.store.asimilarity_search_with_score(
            body.message, k=body.config_params.retriever_k,
            namespace=body.bot_id)
        return [{
            "chunk_id": doc.metadata.get("chunk_id", doc.id),
            "document_id": doc.metadata.get("document_id", ""),
            "score": score,
            "text": doc.page_content,
            "cited": False,
        } for doc, score in found]

    async def chat(self, body):
        sources = await self.sources(body)
        params = body.config_params
        kept = body.history[-params.chat_history_length:] \
            if params.chat_history_length else []
        reply = await self.chain.ainvoke({
            "system": params.system_prompt or twin.SYSTEM,
            "context": twin.context_of(sources),
            "history": [
                (AIMessage if t.role == "assistant" else HumanMessage)(
                    content=t.content) for t in kept],
            "message": body.message,
        })
        usage = reply.usage_metadata
        return twin.chat_answer(
            reply.text if isinstance(reply.text, str) else reply.text(),
            sources, twin.MODEL,
            reply.response_metadata["finish_reason"].lower(),
            {"prompt": usage["input_tokens"],
             "completion": usage["output_tokens"],
             "total": usage["total_tokens"]})

    async def embed_and_store(self, body):
        chunks = twin.chunks_of(body)
        ids = await self.store.aadd_texts(
            [text for _, text, _ in chunks],
            metadatas=[meta for _, _, meta in chunks],
            ids=[ident for ident, _, _ in chunks],
            namespace=body.metadata["bot_id"])
        return twin.store_answer(body, ids)


agent = Agent()


@asynccontextmanager
async def lifespan(_):
    await agent.start()
    yield
    await agent.stop()


app = FastAPI(lifespan=lifespan)


@app.get("/health")
async def health():
    return {"status": "ok"}


@app.post("/chat", response_model=twin.ChatResponse)
async def chat(body: twin.ChatRequest,
               x_internal_api_key: Optional[str] = Header(None)):
    twin.check_key(x_internal_api_key)
    twin.check_chat(body)
    return await agent.chat(body)


@app.post("/embed_and_store")
async def embed_and_store(body: twin.StoreRequest,
                          x_internal_api_key: Optional[str] = Header(None)):
    twin.check_key(x_internal_api_key)
    try:
        return await agent.embed_and_store(body)
    except KeyError as missing:
        raise HTTPException(422, "metadata: %s is missing" % missing)
