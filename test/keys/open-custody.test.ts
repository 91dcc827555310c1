import assert from 'node:assert/strict'
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkConfig, ConfigError } from '../../src/config/load.js'
import { Secrets } from '../../src/config/secrets.js'
import { openCustody } from '../../src/keys/open-custody.js'
import { sessionsOf } from '../../src/keys/token-settings.js'
import { Pkcs11Shim } from '../support/pkcs11-shim.js'
import { testSettings } from '../support/rssp.js'
import { newTokenDirectory } from '../support/softhsm.js'

describe('A token that cannot be opened', () => {
  const folder = mkdtempSync(join(tmpdir(), 'openrssp-test-'))
  const real = newTokenDirectory('ours')
  const shim = new Pkcs11Shim(real)
  const { module, tokenLabel, pin } = shim.token
  const confBefore = process.env['SOFTHSM2_CONF']

  before(() => {
    Secrets.create(join(folder, 'secrets.key'))
    writeFileSync(join(folder, 'pin'), pin, { mode: 0o600 })
    writeFileSync(join(folder, 'wrong'), '999999', { mode: 0o600 })
    // Of its own, so that it reads its settings again.
    copyFileSync(real.module, join(folder, 'library.so'))
    writeFileSync(join(folder, 'conf'), `directories.tokendir = ${folder}/nowhere\n`)
  })
  after(() => {
    if (confBefore === undefined) delete process.env['SOFTHSM2_CONF']
    else process.env['SOFTHSM2_CONF'] = confBefore
    shim.close()
    rmSync(folder, { recursive: true, force: true })
  })

  async function whyNot(settings: Record<string, unknown>): Promise<string> {
    const hsm = { module, tokenLabel, pinFile: 'pin', ...settings }
    const config = checkConfig(testSettings('http://127.0.0.1:1', 1, { hsm }), folder, {})
    const error: unknown = await openCustody(config).catch((error: unknown) => error)
    assert.ok(error instanceof Error)
    return error.message
  }

  it('is told with the labels of those there are', async () => {
    const why = await whyNot({ tokenLabel: 'theirs' })
    assert.match(why, /^The token "theirs" could not be opened: .*: there are tokens "ours"/)
  })

  it('is told with the file of the PIN that it refused', async () => {
    const why = await whyNot({ pinFile: 'wrong' })
    assert.match(why, /CKR_PIN_INCORRECT \(0xa0\)\. The PIN is in \S+\/wrong$/)
  })

  it('is told with what the library was told of its settings', async () => {
    const own = { module: join(folder, 'library.so') }
    const gone = await whyNot({ ...own, environment: { SOFTHSM2_CONF: '/nowhere/conf' } })
    assert.match(gone, /hsm\.environment: SOFTHSM2_CONF names \/nowhere\/conf, which is not there$/)
    const wrong = await whyNot({ ...own, environment: { SOFTHSM2_CONF: join(folder, 'conf') } })
    assert.match(wrong, /Look at the settings of \S+ itself; hsm\.environment has SOFTHSM2_CONF/)
  })
})

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

  it('tells another library nothing that is meant for the first alone', async () => {
    const { tokenLabel, module } = second.token
    const { hsm, ...rest } = configured([{ tokenLabel, module }])
    const alarms: string[] = []
    // SoftHSM refuses what NSS wants to hear.
    const spoken = { ...hsm, libraryParameters: "configdir='sql:/nowhere'" }
    const custody = await openCustody({ ...rest, hsm: spoken }, (message) => alarms.push(message))
    assert.deepEqual(alarms, ['The token "1: first" could not be opened'])
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
