import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkConfig, ConfigError } from '../../src/config/load.js'
import { Secrets } from '../../src/config/secrets.js'
import { openCustody } from '../../src/keys/open-custody.js'
import { sessionsOf } from '../../src/keys/token-settings.js'
import { Pkcs11Shim } from '../support/pkcs11-shim.js'
import { testSettings } from '../support/rssp.js'
import { newTokenDirectory } from '../support/softhsm.js'

describe('hsm.moreTokens', () => {
  const folder = mkdtempSync(join(tmpdir(), 'openrssp-test-'))
  const first = new Pkcs11Shim(newTokenDirectory('first'))
  const second = new Pkcs11Shim(newTokenDirectory('second'))

  before(() => {
    Secrets.create(join(folder, 'secrets.key'))
    writeFileSync(join(folder, 'pin'), first.token.pin, { mode: 0o600 })
  })
  after(() => {
    first.close()
    second.close()
    rmSync(folder, { recursive: true, force: true })
  })

  const configured = (moreTokens: unknown) => {
    const { module, tokenLabel } = first.token
    const hsm = { module, tokenLabel, pinFile: 'pin', sessions: 3, moreTokens }
    return checkConfig(testSettings('http://127.0.0.1:1', 1, { hsm }), folder, {})
  }

  it('opens each with what the first has, where it says nothing else', async () => {
    const { tokenLabel, module } = second.token
    const config = configured([{ tokenLabel, module, sessions: 2 }])
    assert.equal(sessionsOf(config.hsm), 5)
    const custody = await openCustody(config)
    assert.ok('tokens' in custody.state)
    const names = custody.state.tokens.map(({ name, usable }) => [name, usable])
    assert.deepEqual(names, [
      ['1: first', true],
      ['2: second', true],
    ])
    await custody.close()
  })

  it('does not keep the service from starting when one of them is away', async () => {
    const config = configured([{ tokenLabel: 'nowhere' }])
    const alarms: string[] = []
    const custody = await openCustody(config, (message) => alarms.push(message))
    assert.equal(await custody.ready(), true)
    assert.deepEqual(alarms, ['The token "2: nowhere" could not be opened'])
    await custody.close()
  })

  it('names what is wrong with one of them', () => {
    const settings = (error: unknown) =>
      error instanceof ConfigError ? error.problems.map(({ setting }) => setting) : []
    const wrong = [{ tokenLabel: 'x', pinFile: 'nowhere', module: 'nothing' }, { pinFile: 'pin' }]
    assert.throws(
      () => configured(wrong),
      (error) => {
        const named = settings(error)
        for (const name of ['0.pinFile', '0.module', '1.tokenLabel']) {
          assert.ok(named.includes(`hsm.moreTokens.${name}`), `${name} not in ${named.join()}`)
        }
        return true
      },
    )
  })
})
