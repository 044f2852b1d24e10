"""The agent's job as a small FastAPI service, whatever its HTTP client.

Validate, embed, ask Pinecone, build the prompt, generate: the same two
endpoints with the same answers as the service in C. It keeps no metrics,
writes no log, retries nothing and checks one key, so it does less, and its
figures flatter it.
"""

import hmac
import os
import re
from typing import List, Optional, Union

from fastapi import FastAPI, Header, HTTPException
from pydantic import BaseModel

GEMINI = os.environ["GOOGLE_GEMINI_BASE_URL"]
PINECONE = os.environ["PINECONE_INDEX_HOST"]
GEMINI_HEADERS = {"x-goog-api-key": os.environ["GOOGLE_API_KEY"]}
PINECONE_HEADERS = {
    "Api-Key": os.environ["PINECONE_API_KEY"],
    "X-Pinecone-Api-Version": "2025-10",
}
KEY = os.environ["INTERNAL_API_KEY"]
EMBEDDER = os.environ["EMBEDDING_MODEL_NAME"]
MODEL = os.environ["GENERATIVE_MODEL_NAME"]
DIMENSIONS = int(os.environ["EMBEDDING_DIMENSIONS"])
CITATION = re.compile(r"\[(\d+)\]")
SYSTEM = (
    "You answer questions from the numbered sources and cite them as [1]. "
    "Say that you do not know when they do not tell."
)


class Turn(BaseModel):
    role: str
    content: str


class Params(BaseModel):
    llm_model: Optional[str] = None
    temperature: float = 0.7
    system_prompt: Optional[str] = None
    retriever_k: int = 5
    chat_history_length: int = 10


class ChatRequest(BaseModel):
    bot_id: str
    message: str
    user_id: Optional[str] = None
    history: List[Turn] = []
    config_params: Params = Params()
    stream: bool = False


class Chunk(BaseModel):
    id: Optional[str] = None
    text: str
    metadata: dict = {}


class StoreRequest(BaseModel):
    document_id: str
    chunks: List[Union[str, Chunk]]
    metadata: dict = {}


class Source(BaseModel):
    chunk_id: str
    document_id: str
    score: float
    text: str
    cited: bool


class Metadata(BaseModel):
    model: str
    finish_reason: str
    tokens_used: dict
    source_chunk_ids: List[str]
    sources: List[Source]


class ChatResponse(BaseModel):
    response: str
    response_text: str
    error_message: Optional[str]
    metadata: Metadata


def check_key(key):
    if not hmac.compare_digest((key or "").encode(), KEY.encode()):
        raise HTTPException(401, "no or a wrong key")


def check_chat(body):
    if not body.message.strip():
        raise HTTPException(422, "message: must not be blank")
    if not 1 <= body.config_params.retriever_k <= 100:
        raise HTTPException(422, "config_params.retriever_k: 1 to 100")


def embed_request(text, task):
    return {
        "model": "models/" + EMBEDDER,
        "content": {"parts": [{"text": text}]},
        "taskType": task,
        "outputDimensionality": DIMENSIONS,
    }


def sources_of(reply):
    found = []
    for match in reply["matches"]:
        meta = match.get("metadata") or {}
        found.append({
            "chunk_id": meta.get("chunk_id", match["id"]),
            "document_id": meta.get("document_id", ""),
            "score": match["score"],
            "text": meta.get("text", ""),
            "cited": False,
        })
    return found


def context_of(sources):
    return "\n\n".join(
        "[%d] %s" % (n, s["text"]) for n, s in enumerate(sources, 1))


def generate_request(body, sources):
    params = body.config_params
    system = params.system_prompt or SYSTEM
    kept = body.history[-params.chat_history_length:] \
        if params.chat_history_length else []
    contents = [
        {"role": "model" if t.role == "assistant" else "user",
         "parts": [{"text": t.content}]} for t in kept]
    contents.append({"role": "user", "parts": [{"text": body.message}]})
    return {
        "systemInstruction": {"parts": [
            {"text": system + "\n\nSources:\n\n" + context_of(sources)}]},
        "contents": contents,
        "generationConfig": {"temperature": params.temperature},
    }


def mark_cited(text, sources):
    for number in CITATION.findall(text):
        if 1 <= int(number) <= len(sources):
            sources[int(number) - 1]["cited"] = True


def chat_answer(text, sources, model, finish, tokens):
    mark_cited(text, sources)
    return {
        "response": text,
        "response_text": text,
        "error_message": None,
        "metadata": {
            "model": model,
            "finish_reason": finish,
            "tokens_used": tokens,
            "source_chunk_ids": [s["chunk_id"] for s in sources],
            "sources": sources,
        },
    }


def answer_of(reply, sources):
    candidate = reply["candidates"][0]
    usage = reply["usageMetadata"]
    text = "".join(p.get("text", "") for p in candidate["content"]["parts"])
    return chat_answer(
        text, sources, reply["modelVersion"], candidate["finishReason"].lower(),
        {"prompt": usage["promptTokenCount"],
         "completion": usage["candidatesTokenCount"],
         "total": usage["totalTokenCount"]})


def chunks_of(body):
    """[(id, text, metadata), ...] of a StoreRequest."""
    out = []
    for n, chunk in enumerate(body.chunks):
        if isinstance(chunk, str):
            chunk = Chunk(text=chunk)
        if not chunk.text.strip():
            raise HTTPException(422, "chunks[%d]: must not be blank" % n)
        ident = chunk.id or "%s-chunk-%d" % (body.document_id, n)
        meta = dict(chunk.metadata, bot_id=body.metadata["bot_id"],
                    document_id=body.document_id, chunk_id=ident)
        out.append((ident, chunk.text, meta))
    return out


def store_answer(body, ids):
    return {
        "status": "success",
        "document_id": body.document_id,
        "stored_vector_ids": ids,
        "stored_vector_count": len(ids),
        "error_message": None,
    }


def make_app(client, respond, **route):
    """client.post(url, headers, obj) answers a parsed reply; respond makes
    what a route returns of a dict."""
    app = FastAPI()
    gemini = GEMINI + "/v1beta/models/"

    @app.on_event("startup")
    async def start():
        await client.start()

    @app.on_event("shutdown")
    async def stop():
        await client.stop()

    @app.get("/health")
    async def health():
        return {"status": "ok"}

    @app.post("/chat", **route)
    async def chat(body: ChatRequest,
                   x_internal_api_key: Optional[str] = Header(None)):
        check_key(x_internal_api_key)
        check_chat(body)
        embedded = await client.post(
            gemini + EMBEDDER + ":embedContent", GEMINI_HEADERS,
            embed_request(body.message, "RETRIEVAL_QUERY"))
        found = await client.post(PINECONE + "/query", PINECONE_HEADERS, {
            "namespace": body.bot_id,
            "topK": body.config_params.retriever_k,
            "includeMetadata": True,
            "vector": embedded["embedding"]["values"],
        })
        sources = sources_of(found)
        reply = await client.post(
            gemini + (body.config_params.llm_model or MODEL)
            + ":generateContent", GEMINI_HEADERS,
            generate_request(body, sources))
        return respond(answer_of(reply, sources))

    @app.post("/embed_and_store")
    async def embed_and_store(
            body: StoreRequest,
            x_internal_api_key: Optional[str] = Header(None)):
        check_key(x_internal_api_key)
        chunks = chunks_of(body)
        for at in range(0, len(chunks), 100):
            part = chunks[at:at + 100]
            reply = await client.post(
                gemini + EMBEDDER + ":batchEmbedContents", GEMINI_HEADERS,
                {"requests": [embed_request(text, "RETRIEVAL_DOCUMENT")
                              for _, text, _ in part]})
            stored = await client.post(
                PINECONE + "/vectors/upsert", PINECONE_HEADERS, {
                    "namespace": body.metadata["bot_id"],
                    "vectors": [
                        {"id": ident, "values": e["values"],
                         "metadata": dict(meta, text=text)}
                        for (ident, text, meta), e
                        in zip(part, reply["embeddings"])],
                })
            if stored["upsertedCount"] != len(part):
                raise HTTPException(502, "not all vectors were stored")
        return respond(store_answer(body, [c[0] for c in chunks]))

    return app
