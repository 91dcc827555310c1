import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readdirSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { Running } from '../commands/openrssp.js'
import { freePort, hsmSettings, startRssp, testSettings, type Rssp } from '../support/rssp.js'
import { SigningLoad } from '../support/signing-load.js'
import { newTestToken, openCustody } from '../support/softhsm.js'

const STRANGERS = 100

describe('A service that has no file descriptors left (S103)', function () {
  this.timeout(30_000)
  /** Fills the database and looks into it; the requests go to the service. */
  let rssp: Rssp
  let baseUrl: string
  let server: Running

  before(async () => {
    const token = newTestToken()
    const custody = await openCustody(token)
    const port = await freePort()
    baseUrl = `http://127.0.0.1:${port}`
    rssp = await startRssp({ settings: { baseUrl }, custody: () => custody })
    const { database } = rssp.services.config
    const configFile = join(rssp.folder, 'exhausted.json')
    const settings = testSettings(baseUrl, port, { hsm: hsmSettings(token), database })
    writeFileSync(configFile, JSON.stringify(settings))
    server = new Running(['serve', '--config', configFile])
    await server.saying('"msg":"serving"')
  })
  after(async () => {
    server?.child.kill('SIGKILL')
    await server?.ended
    await rssp?.close()
  })

  const highestOpened = () =>
    Math.max(...readdirSync(`/proc/${server.child.pid}/fd`).map((name) => Number(name)))
  const allow = (descriptors: number) =>
    execFileSync('prlimit', [`--pid=${server.child.pid}`, `--nofile=${descriptors}:`])

  /** Connections that are kept and not used; resolves when so many of them were closed. */
  const strangersTurnedAway = (most: Socket[], turnedAway: number) =>
    new Promise<void>((resolve) => {
      let left = turnedAway
      for (let count = 0; count < STRANGERS; count += 1) {
        const socket = connect(Number(new URL(baseUrl).port), '127.0.0.1')
        socket.on('error', () => undefined)
        socket.on('close', () => {
          if (--left === 0) resolve()
        })
        most.push(socket)
      }
    })

  it('turns new connections away, loses nothing, and goes on when there are some', async function () {
    if (process.platform !== 'linux') this.skip()
    const load = await SigningLoad.start(rssp, baseUrl, { repeats: true })
    await load.signing(10)
    // Few are left: those below the highest that were closed meanwhile.
    allow(highestOpened() + 1)
    const strangers: Socket[] = []
    await strangersTurnedAway(strangers, STRANGERS / 2)
    console.error('turned away')
    for (const socket of strangers) socket.destroy()
    await load.signing(10)
    await load.stop()
    assert.deepEqual([...load.unknown], [])
    await load.assertNothingLostOrDoubled()
    assert.equal((await fetch(`${baseUrl}/health/ready`)).status, 200)
    assert.equal((await server.stop()).code, 0)
  })
})
