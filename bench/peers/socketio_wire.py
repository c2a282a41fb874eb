"""One socket of the load as a socket.io client: its packets, our asks and changes in them."""

from __future__ import annotations

from typing import Any

import orjson
from picows import WSFrame, WSTransport

from bench.wire import TEXT, Peer

PATH = "/socket.io/?EIO=4&transport=websocket"
OPEN, CONNECTED, PING, ACK, CHANGE = b"0{", b"40", b"2", b"43", b'42["change",'


class SocketIoPeer(Peer):
    """As `Peer`, over socket.io's protocol 5: an ask is an event with an acknowledgement, a change is an event."""

    def send(self, conversation: str, entry: str, after: str, text: str) -> None:
        self._ref = ref = self._ref + 1
        ask = f'{{"id":"{entry}","after":"{after}","conversation":"{conversation}","text":"{text}"}}'
        self.transport.send(TEXT, f'42{ref}["message.send",{ask}]'.encode())

    def _write(self, kind: str, ref: int, fields: dict[str, Any]) -> None:
        self.transport.send(TEXT, b"42%d%b" % (ref, orjson.dumps([kind, fields])))

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport  # the server speaks first

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is not TEXT:
            return
        packet = frame.get_payload_as_bytes()
        if packet.startswith(CHANGE):
            self._changed(orjson.loads(packet[2:])[1])
        elif packet.startswith(ACK):
            ref, _, answer = packet[2:].partition(b"[")
            if int(ref) in self._waiting:
                (found,) = orjson.loads(b"[" + answer)
                self._waiting.pop(int(ref)).set_result(found)
            else:
                self.oks += 1
        elif packet == PING:
            transport.send(TEXT, b"3")
        elif packet.startswith(OPEN):
            transport.send(TEXT, CONNECTED + orjson.dumps({"token": self.token}))
        elif packet.startswith(CONNECTED):
            self.synced.set_result(None)
        else:
            raise RuntimeError(f"socket.io says {packet[:200]!r}")
