// What a user does with an assistant, by the official TypeScript clients: `story.cjs stateless|initialized URL TOKEN`.
// CommonJS, because NODE_PATH says where the packages are.

const { deepEqual, equal, match, ok, rejects } = require('node:assert/strict')

const clients = {
  stateless: () => {
    const { Client, StreamableHTTPClientTransport } = require('@modelcontextprotocol/client')
    const client = new Client(
      { name: 'typescript', version: '1' },
      { capabilities: { elicitation: { form: {} } }, versionNegotiation: { mode: { pin: '2026-07-28' } } }
    )
    client.setRequestHandler('elicitation/create', async request => {
      match(request.params.message, /^Deletes:/)
      return { action: 'accept', content: { confirm: true } }
    })
    return [client, StreamableHTTPClientTransport]
  },
  initialized: () => {
    const { Client } = require('@modelcontextprotocol/sdk/client/index.js')
    const { StreamableHTTPClientTransport } = require('@modelcontextprotocol/sdk/client/streamableHttp.js')
    return [new Client({ name: 'typescript', version: '1' }), StreamableHTTPClientTransport]
  }
}

async function play(generation, url, token) {
  const [client, Transport] = clients[generation]()
  const headers = { Authorization: `Bearer ${token}` }
  await client.connect(new Transport(new URL(url), { requestInit: { headers } }))
  match(client.getInstructions(), /Rondo/)
  const { tools } = await client.listTools()
  equal(tools.length, 12)

  // The client checks results against the output schemas.
  const call = async (name, given) => {
    const result = await client.callTool({ name, arguments: given })
    ok(!result.isError, JSON.stringify(result))
    return result.structuredContent
  }
  const tasks = [{ text: 'Call Bob tomorrow 9am #home' }, { title: 'Buy milk', uid: 'milk' }]
  const added = await call('add_task', { tasks })
  deepEqual(added.tasks.map(task => task.title), ['Call Bob', 'Buy milk'])
  const [bob, milk] = added.tasks.map(task => task.id)
  await call('complete_task', { ids: [bob] })
  const open = await call('list_tasks', { status: ['pending'] })
  deepEqual(open.tasks.map(task => task.id), [milk])

  const { contents } = await client.readResource({ uri: 'rondo://tasks/milk' })
  equal(JSON.parse(contents[0].text).title, 'Buy milk')
  const prompt = await client.getPrompt({ name: 'plan_my_day', arguments: { tag: 'home' } })
  match(prompt.messages[0].content.text, /home/)
  const { completion } = await client.complete({
    ref: { type: 'ref/prompt', name: 'plan_my_day' }, argument: { name: 'tag', value: 'ho' }
  })
  deepEqual(completion.values, ['home'])

  let gone = await call('delete_task', { ids: [milk] })
  if (generation === 'initialized') {
    equal((await call('list_tasks', {})).tasks.length, 2)
    gone = await call('delete_task', { ids: [milk], confirm: gone.confirm })
  }
  equal((await call('list_tasks', {})).tasks.length, 1)
  await call('update_task', { undo: gone.undo })
  equal((await call('list_tasks', {})).tasks.length, 2)

  const refused = await client.callTool({ name: 'get_task', arguments: { id: 1e9 } })
  ok(refused.isError)
  await rejects(client.callTool({ name: 'no_such_tool', arguments: {} }), /no_such_tool/)
  await client.close()
}

const [generation, url, token] = process.argv.slice(2)
play(generation, url, token).then(
  () => console.log('played'),
  error => {
    console.error(error)
    process.exit(1)
  }
)
