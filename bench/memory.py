"""Loads an installation as 1,000 daily users do in their busiest minutes, and prints what its programs use.

usage: memory.py API SYNC NAME=PID...

API is such as http://127.0.0.1:3000, and SYNC the HOST:PORT of live sync. A program is what a PID and its children use:
the proportional set size (PSS), which counts shared memory once, and processor time. bench/README.md has the commands.
"""

import base64
import json
import os
import socket
import sys
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

# 1,000 users with 100 requests a day each, a fifth of them in the busiest hour, are 6 in a second.
RATE = 20
SECONDS = 60
USERS = 40
# Devices that are connected at once.
DEVICES = 100


def request(url, body=None, token=None, method=None):
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method), timeout=15) as answer:
        text = answer.read()
        return json.loads(text) if text else None


def user(api, number):
    body = {"email": f"memory-{os.getpid()}-{number}@example.org", "password": "correct horse battery staple"}
    return request(f"{api}/api/auth/register", body)["access_token"]


def device(sync, token):
    """Connects to live sync and reads what comes."""
    host, port = sync.rsplit(":", 1)
    connection = socket.create_connection((host, int(port)))
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [
        f"GET /ws?token={token} HTTP/1.1",
        f"Host: {sync}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {key}",
    ]
    connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    answer = connection.recv(4096)
    assert b" 101 " in answer.split(b"\r\n")[0], answer
    threading.Thread(target=lambda: all(iter(lambda: connection.recv(4096), b"")), daemon=True).start()
    return connection


def work(api, token, random):
    """One request: half of them list, a third creates, the rest complete."""
    choice = random.random()
    if choice < 0.5:
        request(f"{api}/api/tasks?status=pending", token=token)
        return
    task = {"title": "Water the plants", "due_date": "2026-01-01T08:00:00Z", "recurrence_rule": {"frequency": "daily"}}
    created = request(f"{api}/api/tasks", task, token)
    if choice > 0.83:
        request(f"{api}/api/tasks/{created['id']}/complete", {}, token, "POST")


def tree(pid):
    """A process and its descendants."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            yield from tree(int(child))


def usage(pid):
    """PSS in MiB and processor time in seconds."""
    memory = ticks = 0
    for process in tree(pid):
        try:
            rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
            fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        memory += int(rollup.split("Pss:")[1].split()[0])
        ticks += int(fields[11]) + int(fields[12])
    return memory / 1024, ticks / os.sysconf("SC_CLK_TCK")


def main():
    api, sync, *named = sys.argv[1:]
    programs = {name: int(pid) for name, pid in (entry.split("=") for entry in named)}
    idle = {name: usage(pid) for name, pid in programs.items()}
    tokens = [user(api, number) for number in range(USERS)]
    devices = [device(sync, tokens[number % USERS]) for number in range(DEVICES)]
    before = {name: usage(pid) for name, pid in programs.items()}
    peak = dict.fromkeys(programs, 0.0)
    start, failed, random = time.monotonic(), [], Random(1)
    with ThreadPoolExecutor(8) as pool:
        for number in range(RATE * SECONDS):
            time.sleep(max(0.0, start + number / RATE - time.monotonic()))
            done = pool.submit(work, api, tokens[number % USERS], Random(random.random()))
            done.add_done_callback(lambda done: failed.append(done.exception()) if done.exception() else None)
            if number % RATE == 0:
                for name, pid in programs.items():
                    peak[name] = max(peak[name], usage(pid)[0])
    seconds = time.monotonic() - start
    print(f"{RATE * SECONDS} steps in {seconds:.0f} s, {len(failed)} failed, {len(devices)} devices")
    for error in {repr(error) for error in failed}:
        print(error)
    print("| Program | Idle, MiB | Peak, MiB | Processor, % of one |\n|---|---|---|---|")
    for name, pid in programs.items():
        share = 100 * (usage(pid)[1] - before[name][1]) / seconds
        print(f"| {name} | {idle[name][0]:.0f} | {peak[name]:.0f} | {share:.0f} |")
    print(f"| all | {sum(memory for memory, _ in idle.values()):.0f} | {sum(peak.values()):.0f} | |")
    if failed:
        sys.exit(1)


main()
