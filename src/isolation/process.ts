/*
 * What runs in an isolated process: one task after the other, in modules that the server names. It is
 * started with Node's permission model, without environment, and under limits of the operating system
 * (docs/decisions/verification-worker.md).
 */
import { Socket } from 'node:net'
import { Socket as DatagramSocket } from 'node:dgram'
import dns from 'node:dns'
import { syncBuiltinESMExports } from 'node:module'
import type { FromIsolated, ToIsolated } from './protocol.js'

type Task = (input: unknown) => unknown

closeNetwork()
process.on('message', (order: ToIsolated) => void run(order).then(answer))
process.once('disconnect', () => process.exit(0))
process.on('unhandledRejection', () => undefined)
answer('ready')

async function run({ module, name, input }: ToIsolated): Promise<FromIsolated> {
  try {
    const tasks = (await import(module)) as Readonly<Partial<Record<string, Task>>>
    return { result: await tasks[name]?.(input) }
  } catch (error) {
    const { message = String(error), kind } = error as { message?: string; kind?: unknown }
    return { failure: { message, kind: typeof kind === 'string' ? kind : null } }
  }
}

function answer(message: FromIsolated): void {
  process.send?.(message)
}

/**
 * The permission model of this Node.js does not know the network. No parser that follows a reference out
 * of a document gets anywhere: everything in Node.js that connects comes by here.
 */
function closeNetwork(): void {
  const refuse = () => {
    throw new Error('There is no network here')
  }
  Object.assign(Socket.prototype, { connect: refuse })
  Object.assign(DatagramSocket.prototype, { bind: refuse, send: refuse, connect: refuse })
  for (const names of [dns, dns.promises]) {
    for (const name of Object.keys(names)) {
      if (/^(lookup|resolve|reverse)/.test(name)) Object.assign(names, { [name]: refuse })
    }
  }
  syncBuiltinESMExports()
  Object.assign(globalThis, { fetch: refuse, WebSocket: refuse, EventSource: refuse })
}
