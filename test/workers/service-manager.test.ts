import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { socketHandedOver } from '../../src/workers/service-manager.js'
import { Installation, PROGRAM } from '../commands/openrssp.js'

describe('A socket that systemd hands over', function () {
  this.timeout(60_000)

  it('is meant for the process it names, and is one', () => {
    const environment = { LISTEN_PID: '7', LISTEN_FDS: '1' }
    assert.deepEqual(socketHandedOver(7, environment), { fd: 3 })
    assert.equal(socketHandedOver(8, environment), null)
    assert.equal(socketHandedOver(7, { ...environment, LISTEN_FDS: '2' }), null)
    assert.equal(socketHandedOver(7, {}), null)
    assert.equal(socketHandedOver(undefined, {}), null)
  })

  it('is where workers serve, and what waited in it is answered', async () => {
    const installation = await Installation.make()
    const socket = createServer().listen(0, '127.0.0.1')
    await once(socket, 'listening')
    const { port } = socket.address() as AddressInfo
    const { fd } = (socket as unknown as { _handle: { fd: number } })._handle
    const serve = [...PROGRAM, 'serve', '--config', installation.configFile, '--workers', '1']
    // As systemd does: the number of the process is known to itself alone.
    const handOver = 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"'
    const child = spawn('sh', ['-c', handOver, 'sh', process.execPath, ...serve], {
      stdio: ['ignore', 'ignore', 'inherit', fd],
    })
    const ended = once(child, 'exit')
    socket.close()
    try {
      // Nobody serves yet: the connection waits.
      const answer = await fetch(`http://127.0.0.1:${port}/health/live`)
      assert.equal(answer.status, 200)
      await assert.rejects(fetch(`${installation.baseUrl}/health/live`))
    } finally {
      child.kill('SIGTERM')
      assert.deepEqual(await ended, [0, null])
      installation.remove()
    }
  })
})
