import assert from 'node:assert/strict'
import { Installation } from './openrssp.js'

describe('Factors from the command line', () => {
  let installation: Installation
  const codes: string[] = []
  const person = ['--given-name', 'Alice', '--surname', 'Archer']

  before(async () => {
    installation = await Installation.make()
  })
  after(() => {
    installation.remove()
  })

  it('user add: lets a person enrol an authenticator themselves', async () => {
    const added = await installation.json(
      'user',
      'add',
      'alice',
      ...person,
      '--without-authenticator',
    )
    assert.deepEqual(Object.keys(added), [
      'id',
      'username',
      'password',
      'enrolmentCode',
      'expiresAt',
    ])
    codes.push(added.enrolmentCode)
    assert.match(added.enrolmentCode, /^[0-9A-Z]{4}(-[0-9A-Z]{4}){3}$/)
  })

  it('user enrolment-code: prints a code that lasts as long as is said', async () => {
    const before = Date.now()
    const made = await installation.json('user', 'enrolment-code', 'alice', '--hours', '2')
    const lasts = new Date(made.expiresAt).getTime() - before
    assert.ok(lasts >= 7_200_000 && lasts < 7_300_000, String(lasts))
    codes.push(made.enrolmentCode)
  })

  it('user set: changes where codes go, and refuses what is no address', async () => {
    const phone = '+37060012345'
    const set = await installation.json('user', 'set', 'alice', '--phone', phone)
    assert.deepEqual(set, { username: 'alice', phone })
    const { code, stderr } = await installation.run('user', 'set', 'alice', '--phone', '060012345')
    const words = 'A phone number is written as in E.164, such as +37060012345.'
    assert.deepEqual([code, stderr], [1, `openrssp: ${words}\n`])
  })

  it('puts on record what was done, and neither codes nor numbers', async () => {
    const { stdout } = await installation.run('audit', 'export')
    assert.match(stdout, /enrolment-code\.issued.*user\.changed/s)
    for (const secret of [...codes, '+37060012345']) assert.ok(!stdout.includes(secret))
  })
})
