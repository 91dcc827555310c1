import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Installation } from './openrssp.js'

describe('openrssp hsm', function () {
  this.slow(10_000)
  let installation: Installation

  before(async () => {
    installation = await Installation.make()
    const { hsm } = installation.settings as unknown as { hsm: object }
    installation.configure({ hsm: { ...hsm, custody: 'wrapped' } })
    const person = ['--given-name', 'Alice', '--surname', 'Archer']
    await installation.json('user', 'add', 'alice', ...person)
  })
  after(() => installation.remove())

  it('does not let keys be wrapped in a token nobody has prepared, and says how that is done', async () => {
    const { code, stderr } = await installation.run('credential', 'create', 'alice')
    assert.equal(code, 1)
    assert.match(stderr, /^openrssp: The .*has no key "openrssp wrapping 1".*"openrssp hsm init"/)
    assert.equal(stderr.split('\n').filter((line) => /^\s+at /.test(line)).length, 0)
  })

  it('init: makes the wrapping keys once, and probe says what the token can do then', async () => {
    const wrappingKey = { tokenLabel: 'openrssp-test', wrappingKey: '1', guarded: true }
    assert.deepEqual(await installation.json('hsm', 'init'), { ...wrappingKey, made: true })
    assert.deepEqual(await installation.json('hsm', 'init'), { ...wrappingKey, made: false })
    const found = await installation.json('hsm', 'probe')
    assert.equal(found.missing, null)
    assert.deepEqual(found.wrapping, { variant: 'aes-wrap-pad', guarded: true })
    assert.deepEqual(found.tolerate, {
      resident: 'as they should be',
      wrapped: 'as they should be',
    })
    const needed = found.capabilities.filter((each: { needed: boolean }) => each.needed)
    assert.deepEqual(
      needed.map((each: { capability: string }) => each.capability),
      ['p-256 keys', 'p-384 keys', 'wrapped keys: AES key wrap', 'wrapped keys: MAC', 'sessions'],
    )
  })

  it('ends with a status of its own where the PIN is refused: restarted, it would lock the token (S93)', async () => {
    const pinFile = join(installation.folder, 'wrong.pin')
    writeFileSync(pinFile, '999999', { mode: 0o600 })
    const { hsm } = installation.settings as unknown as { hsm: object }
    installation.configure({ hsm: { ...hsm, pinFile } })
    const { code, stderr } = await installation.run('hsm', 'probe')
    assert.equal(code, 78)
    assert.match(
      stderr,
      /^openrssp: The token "openrssp-test" could not be opened: .*PIN_INCORRECT/,
    )
  })
})
