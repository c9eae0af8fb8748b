"""What a user does with an assistant, by the official Python client: `story.py auto|legacy URL TOKEN`."""

import asyncio
import json
import sys

import httpx2
from mcp import Client, MCPError, types
from mcp.client.streamable_http import streamable_http_client


async def agree(context, params):
    assert params.message.startswith("Deletes:"), params
    return types.ElicitResult(action="accept", content={"confirm": True})


async def play(mode, url, token):
    http = httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"})
    transport = streamable_http_client(url, http_client=http)
    is_stateless = mode != "legacy"
    asked = {"elicitation_callback": agree} if is_stateless else {}
    async with http, Client(transport, mode=mode, **asked) as client:
        tools = await client.list_tools()
        assert len(tools.tools) == 12, tools

        async def call(name, **arguments):
            result = await client.call_tool(name, arguments)
            assert not result.is_error, result
            return result.structured_content

        tasks = [{"text": "Call Bob tomorrow 9am #home"}, {"title": "Buy milk", "uid": "milk"}]
        added = await call("add_task", tasks=tasks)
        assert [task["title"] for task in added["tasks"]] == ["Call Bob", "Buy milk"], added
        bob, milk = (task["id"] for task in added["tasks"])
        await call("complete_task", ids=[bob])
        found = await call("list_tasks", status=["pending"])
        assert [task["id"] for task in found["tasks"]] == [milk], found

        resource = await client.read_resource("rondo://tasks/milk")
        assert json.loads(resource.contents[0].text)["title"] == "Buy milk", resource
        prompt = await client.get_prompt("plan_my_day", {"tag": "home"})
        assert "home" in prompt.messages[0].content.text, prompt
        completed = await client.complete(
            types.PromptReference(type="ref/prompt", name="plan_my_day"), {"name": "tag", "value": "ho"}
        )
        assert completed.completion.values == ["home"], completed

        gone = await call("delete_task", ids=[milk])
        if not is_stateless:
            assert len((await call("list_tasks"))["tasks"]) == 2
            gone = await call("delete_task", ids=[milk], confirm=gone["confirm"])
        assert len((await call("list_tasks"))["tasks"]) == 1
        await call("update_task", undo=gone["undo"])
        assert len((await call("list_tasks"))["tasks"]) == 2

        assert (await client.call_tool("get_task", {"id": 10**9})).is_error
        try:
            await client.call_tool("no_such_tool", {})
        except MCPError as error:
            assert "no_such_tool" in str(error), error
        else:
            raise AssertionError("a tool that does not exist")
    print("played")


asyncio.run(play(*sys.argv[1:]))
