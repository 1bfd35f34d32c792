# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A name server on this machine's UDP port 53: every name has the address 127.0.0.1, and nothing else."""
import socket
import struct

ADDRESS = bytes([127, 0, 0, 1])
A, IN = 1, 1


def answer(query):
    question = query[12:query.index(b"\0", 12) + 5]
    kind, = struct.unpack(">H", question[-4:-2])
    found = kind == A
    reply = query[:2] + struct.pack(">HHHHH", 0x8180, 1, int(found), 0, 0) + question
    if found:
        reply += struct.pack(">HHHIH", 0xC00C, A, IN, 60, len(ADDRESS)) + ADDRESS
    return reply


with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
    server.bind(("127.0.0.1", 53))
    while True:
        request, client = server.recvfrom(512)
        server.sendto(answer(request), client)
