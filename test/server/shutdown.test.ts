import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Running } from '../commands/openrssp.js'
import { freePort, hsmSettings, startRssp, testSettings, type Rssp } from '../support/rssp.js'
import { LASTING, SigningLoad } from '../support/signing-load.js'
import { newTestToken, openCustody } from '../support/softhsm.js'

/** More of them: OPENRSSP_TEST_TERMINATIONS=50 ./scripts/test test/server/shutdown.test.ts */
const TERMINATIONS = Number(process.env['OPENRSSP_TEST_TERMINATIONS'] ?? 2)

describe('A service that is told to end in the middle of signing (S95)', function () {
  this.timeout(900_000 + TERMINATIONS * 60_000)
  /** Fills the database and looks into it; the requests go to the service. */
  let rssp: Rssp
  let baseUrl: string
  let configFile: string
  let server: Running | null = null

  before(async () => {
    const token = newTestToken()
    const custody = await openCustody(token)
    const port = await freePort()
    baseUrl = `http://127.0.0.1:${port}`
    rssp = await startRssp({ settings: { baseUrl }, custody: () => custody })
    const { database } = rssp.services.config
    configFile = join(rssp.folder, 'ended.json')
    const settings = testSettings(baseUrl, port, {
      ...{ hsm: hsmSettings(token), database, lifetimes: LASTING },
    })
    writeFileSync(configFile, JSON.stringify(settings))
  })
  after(async () => {
    server?.child.kill('SIGKILL')
    await server?.ended
    await rssp?.close()
  })

  /** One process and several by turns. */
  async function start(round: number): Promise<Running> {
    const more = round % 2 === 0 ? [] : ['--workers', '2']
    server = new Running(['serve', '--config', configFile, ...more])
    await server.saying(`"msg":"${more.length === 0 ? 'serving' : 'all workers serve'}"`)
    return server
  }

  it('ends with 0, and has lost no signature and made none twice', async () => {
    let running = await start(0)
    const load = await SigningLoad.start(rssp, baseUrl, { repeats: true })
    for (let round = 1; round <= TERMINATIONS; round += 1) {
      await load.signing(randomInt(1, 60))
      const { code, stderr } = await running.stop()
      assert.deepEqual([code, stderr], [0, ''], `termination ${round}`)
      running = await start(round)
    }
    await load.signing(1)
    await load.stop()
    assert.equal((await running.stop()).code, 0)
    assert.deepEqual([...load.unknown], [])
    await load.assertNothingLostOrDoubled()
  })
})
