import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { watch } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { patienceOfServiceManager, socketHandedOver } from '../../src/workers/service-manager.js'
import { Installation } from '../commands/openrssp.js'
import { PROGRAM } from '../support/program.js'

describe('A socket that systemd hands over', () => {
  it('is meant for the process it names, and is one', () => {
    const environment = { LISTEN_PID: '7', LISTEN_FDS: '1' }
    assert.deepEqual(socketHandedOver(7, environment), { fd: 3 })
    assert.equal(socketHandedOver(8, environment), null)
    assert.equal(socketHandedOver(7, { ...environment, LISTEN_FDS: '2' }), null)
    assert.equal(socketHandedOver(7, {}), null)
    assert.equal(socketHandedOver(undefined, {}), null)
  })

  it('is not all that systemd hands over: it may want signs of life', () => {
    const environment = { WATCHDOG_PID: '7', WATCHDOG_USEC: '30000000' }
    assert.equal(patienceOfServiceManager(7, environment), 30_000)
    assert.equal(patienceOfServiceManager(7, { WATCHDOG_USEC: '30000000' }), 30_000)
    assert.equal(patienceOfServiceManager(8, environment), null)
    assert.equal(patienceOfServiceManager(7, { ...environment, WATCHDOG_USEC: 'x' }), null)
    assert.equal(patienceOfServiceManager(7, {}), null)
  })

  it('is where workers serve, and what waited in it is answered', async () => {
    const installation = await Installation.make()
    const socket = createServer().listen(0, '127.0.0.1')
    await once(socket, 'listening')
    const { port } = socket.address() as AddressInfo
    const { fd } = (socket as unknown as { _handle: { fd: number } })._handle
    const serve = [...PROGRAM, 'serve', '--config', installation.configFile, '--workers', '1']
    const told = join(installation.folder, 'told')
    writeFileSync(told, '')
    const notify = `#!/bin/sh\necho "$@" >> ${told}\n`
    writeFileSync(join(installation.folder, 'systemd-notify'), notify, { mode: 0o700 })
    // As systemd does: the number of the process is known to itself alone.
    const handOver = 'LISTEN_FDS=1 LISTEN_PID=$$ WATCHDOG_PID=$$ WATCHDOG_USEC=300000 exec "$@"'
    const child = spawn('sh', ['-c', handOver, 'sh', process.execPath, ...serve], {
      stdio: ['ignore', 'ignore', 'inherit', fd],
      env: {
        ...process.env,
        NOTIFY_SOCKET: '/run/systemd/notify',
        PATH: `${installation.folder}:${process.env['PATH']}`,
      },
    })
    const ended = once(child, 'exit')
    socket.close()
    try {
      // Nobody serves yet: the connection waits.
      const answer = await fetch(`http://127.0.0.1:${port}/health/live`)
      assert.equal(answer.status, 200)
      await assert.rejects(fetch(`${installation.baseUrl}/health/live`))

      // Of the process it started, and of none below it, systemd hears again and again that it is alive.
      let lines: string[] = []
      const [ready, alive] = [`--ready --pid=${child.pid}`, `WATCHDOG=1 --pid=${child.pid}`]
      for await (const { eventType } of watch(told)) {
        lines = readFileSync(told, 'utf8').trimEnd().split('\n')
        if (eventType === 'change' && lines.length >= 4 && lines.includes(ready)) break
      }
      // Each is told by a process of its own, one of which may overtake another.
      assert.deepEqual(lines.toSorted(), [ready, ...lines.slice(1).fill(alive)])
    } finally {
      child.kill('SIGTERM')
      assert.deepEqual(await ended, [0, null])
      installation.remove()
    }
  })
})
