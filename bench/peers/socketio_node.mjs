// A socket.io node over Redis that stores, checks and orders nothing: `node socketio_node.mjs PORT REDIS`.
//
// A conversation is a room, its two sides may be on different nodes, and whoever sends hears it too, as with ours. WebSocket
// alone, no deflate, and the native helper of its WebSocket library.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";

import { createAdapter } from "@socket.io/redis-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";

const [port, redis] = process.argv.slice(2);
const publisher = createClient({ url: redis });
const subscriber = publisher.duplicate();
await Promise.all([publisher.connect(), subscriber.connect()]);

const http = createServer((_, response) => response.end("ok")); // /healthz
const io = new Server(http, { transports: ["websocket"], adapter: createAdapter(publisher, subscriber) });
let seq = 0;

io.on("connection", (socket) => {
    const kind = socket.handshake.auth.token.split(":")[0];
    socket.on("conversation.start", (ask, answer) => {
        const conversation = `cnv_${randomUUID()}`;
        socket.join(conversation);
        answer({ conversation, seq: ++seq, at: Date.now() });
    });
    socket.on("conversation.claim", (ask, answer) => {
        socket.join(ask.conversation);
        answer({ conversation: ask.conversation, seq: ++seq, at: Date.now() });
    });
    socket.on("message.send", (ask, answer) => {
        const { conversation, id, text } = ask;
        const at = Date.now();
        const entry = { id, kind: "message", author: { kind }, at, text };
        io.to(conversation).emit("change", { conversation, seq: ++seq, entries: [entry] });
        answer({ conversation, seq, at });
    });
});

http.listen(Number(port), "127.0.0.1");
process.on("SIGTERM", () => process.exit(0));
