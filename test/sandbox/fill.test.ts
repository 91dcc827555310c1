import assert from 'node:assert/strict'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { checkTarget } from '../../conformance/target.js'
import type { KnownSandbox, SandboxFile } from '../../src/sandbox/sandbox-file.js'
import { fillSandbox } from '../../src/sandbox/sandbox.js'
import { startRssp, type Rssp } from '../support/rssp.js'

describe('Filling a sandbox that an earlier version made', () => {
  let rssp: Rssp
  let earlier: KnownSandbox
  let filled: SandboxFile
  const made: string[] = []

  const at = (name: string) => join(rssp.folder, name)
  const fill = () =>
    fillSandbox(
      rssp.services,
      {
        sandboxFile: at('sandbox.json'),
        outbox: at('outbox'),
        conformanceFiles: { v2: at('conformance.json'), v1: at('conformance-v1.json') },
      },
      (step, done, of) => made.push(`${done} of ${of} ${step}`),
    )
  const bob = () => filled.users.find(({ username }) => username === 'bob') ?? assert.fail()

  before(async () => {
    rssp = await startRssp({ outbox: true })
    const users = []
    for (const username of ['alice', 'bob', 'carol']) {
      const user = await rssp.addUser({ username })
      const { id, keyAlgorithm } = await rssp.addCredential(user)
      const credential = { credentialID: id, algorithm: keyAlgorithm, SCAL: '2' }
      users.push({
        ...{ username, password: user.password, pin: user.pin, totpSecret: user.totpSecret },
        ...{ email: `${username}@example.org`, otpAtSignIn: false, credentialIDs: [id] },
        credentials: [{ ...credential, pinRequired: false, authMode: 'oauth2code' }],
      })
    }
    const client = await rssp.addClient({ client_id: 'sandbox-app' })
    const { client_id, client_secret, redirect_uris } = client
    const clients = [{ client_id, client_secret: client_secret ?? '', redirect_uris }]
    earlier = { baseUrl: 'http://elsewhere', csc: '', issuer: '', clients, users }
    writeFileSync(at('sandbox.json'), JSON.stringify(earlier))
    filled = await fill()
  })
  after(() => rssp.close())

  it('keeps every secret, application, person and key', () => {
    assert.deepEqual(filled.clients[0], earlier.clients[0])
    earlier.users.forEach((before, index) => {
      const { password, pin, totpSecret, credentialIDs } = filled.users[index] ?? assert.fail()
      assert.deepEqual(
        { password, pin, totpSecret },
        { password: before.password, pin: before.pin, totpSecret: before.totpSecret },
      )
      assert.equal(credentialIDs[0], before.credentialIDs[0])
    })
  })

  it('adds what is new: every way of signing, and an application with seals', () => {
    const ways = filled.users.flatMap((user) =>
      user.credentials.map(({ approval, objects, expression }) =>
        objects.length === 0 ? String(approval) : (expression ?? objects.join()),
      ),
    )
    for (const way of ['otp', 'email', 'sms', 'PUSH', 'PIN', 'PIN AND OTP', 'PIN AND EMAIL']) {
      assert.ok(ways.includes(way), way)
    }
    assert.ok(filled.clients.some(({ client_id }) => client_id === 'sandbox-seal-app'))
    assert.deepEqual(
      filled.seals.map(({ client_id, objects, pin }) => [client_id, objects, pin !== null]),
      [
        ['sandbox-seal-app', ['PIN'], true],
        ['sandbox-seal-app', [], false],
      ],
    )
    const [, total] = / of (\d+) /.exec(made[0] ?? '') ?? []
    assert.equal(made.length, Number(total))
  })

  it('describes keys of the earlier version as the service has them', async () => {
    for (const user of filled.users) {
      assert.equal(new Set(user.credentialIDs).size, user.credentials.length)
      for (const { credentialID, description, authMode } of user.credentials) {
        const credential = await rssp.services.credentials.find(credentialID)
        assert.deepEqual(
          [credential?.userId, credential?.description, credential?.authMode],
          [user.userID, description, authMode],
        )
      }
    }
  })

  it('adds nothing another time, for its owner’s eyes only', async () => {
    made.length = 0
    assert.deepEqual(await fill(), filled)
    assert.deepEqual(made, [])
    for (const name of ['sandbox.json', 'conformance.json', 'conformance-v1.json']) {
      assert.equal(statSync(at(name)).mode & 0o777, 0o600, name)
    }
  })

  it('registers an application whose registration was interrupted, with the secret that is known', async () => {
    const secret = 'the-secret-that-was-written-down'
    const sealer = { client_id: 'sandbox-app-2', client_secret: secret, redirect_uris: [] }
    const clients = filled.clients.map((each) =>
      each.client_id === 'sandbox-app-2' ? sealer : each,
    )
    const fresh = await startRssp()
    try {
      const file = join(fresh.folder, 'sandbox.json')
      writeFileSync(file, JSON.stringify({ ...filled, clients }))
      const conformanceFiles = { v2: `${file}.v2`, v1: `${file}.v1` }
      await fillSandbox(
        fresh.services,
        { sandboxFile: file, outbox: '', conformanceFiles },
        assert.fail,
      )
      assert.equal((await fresh.services.clients.find('sandbox-app-2'))?.secret, secret)
    } finally {
      await fresh.close()
    }
  })

  describe('for the conformance runner', () => {
    it('writes configurations it understands, for v2 and v1', () => {
      for (const [name, version] of [
        ['conformance.json', 'v2'],
        ['conformance-v1.json', 'v1'],
      ] as const) {
        const target = checkTarget(JSON.parse(readFileSync(at(name), 'utf8')))
        assert.equal(target.baseUrl, `${rssp.baseUrl}/csc/${version}`)
        assert.equal(target.signers.length, 2)
        assert.notEqual(target.client.client_id, target.otherClient?.client_id)
      }
    })

    it('names keys that can be used with nobody there: no messages, no other device', () => {
      const target = checkTarget(JSON.parse(readFileSync(at('conformance.json'), 'utf8')))
      const named = bob().credentials.filter(({ credentialID }) =>
        target.signers[0]?.credentials?.includes(credentialID),
      )
      assert.ok(named.some(({ SCAL }) => SCAL === '1'))
      assert.ok(named.some(({ authMode }) => authMode === 'explicit'))
      for (const { approval, objects } of named) {
        assert.ok(approval === 'otp' || objects.join() === 'PIN', objects.join())
      }
    })
  })
})
