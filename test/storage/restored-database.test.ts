import assert from 'node:assert/strict'
import { signingCertificate } from '../../src/credentials/credentials.js'
import { totpCode } from '../../src/identity/totp.js'
import { insert } from '../../src/storage/database.js'
import { RestoredDatabase } from '../../src/storage/restored-database.js'
import {
  digestOf,
  ECDSA_SHA256,
  startRssp,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../support/rssp.js'

describe('After a backup was restored (S18, S77)', () => {
  let rssp: Rssp
  let user: TestUser
  let client: TestClient
  const digest = digestOf('contract')

  before(async () => {
    rssp = await startRssp()
    user = await rssp.addUser()
    client = await rssp.addClient()
  })
  after(() => rssp.close())

  const restored = () => new RestoredDatabase(rssp.services.database, rssp.clock.now)

  it('no approval, token or code of before is good any more; people sign in and agree anew', async () => {
    const credential = await rssp.addCredential(user)
    const approval = { user, client, credential, digests: [digest] }
    const body = {
      ...{ credentialID: credential.id, hashes: [digest.toString('base64')] },
      signAlgo: ECDSA_SHA256,
    }
    const token = await rssp.credentialToken(approval)
    const service = await rssp.serviceToken(user, client)
    const otp = totpCode(user.totpSecret, rssp.clock.now())
    const ahead = totpCode(user.totpSecret, new Date(rssp.clock.now().getTime() + 30_000))

    await restored().end(null, [])

    assert.equal((await rssp.call('signatures/signHash', body, token)).status, 401)
    const info = { credentialID: credential.id }
    assert.equal((await rssp.call('credentials/info', info, service)).status, 401)
    const { id } = user
    for (const code of [otp, ahead]) {
      assert.equal(await rssp.services.accounts.checkSignInCode(id, code), 'used-code')
    }
    rssp.clock.advance(60)
    const again = await rssp.credentialToken(approval)
    assert.equal((await rssp.call('signatures/signHash', body, again)).status, 200)
    const events = await rssp.auditEvents()
    const event = events.find((each) => each.event === 'database.restored')
    assert.deepEqual(event?.detail, { lostHead: null, endedAgain: 0 })
  })

  it('everything outstanding has ended, of each kind, however many there are of it', async () => {
    const { database } = rssp.services
    const now = rssp.clock.now()
    const expiresAt = new Date(now.getTime() + 3600_000)
    const names = Array.from({ length: 1100 }, (_, index) => `outstanding ${index}`)
    const [name = ''] = names
    const person = { userId: name, clientId: 'c', credentialId: 'c' }
    const story = { ...person, numSignatures: 1, createdAt: now, expiresAt }
    await database.commit({
      changes: [
        insert('Transaction', { id: name, ...story, items: '[]', state: 'pending' }),
        insert('Authorisation', { id: name, transactionId: 'another', ...story }),
        ...names.map((each) => insert('Sad', { idHash: each, authorisationId: name, expiresAt })),
        insert('SentCode', {
          ...{ id: name, credentialId: 'c', clientId: 'c', factor: 'sms-otp' },
          ...{ codeHash: '', sentAt: now, expiresAt },
        }),
        insert('EnrolmentCode', { userId: name, codeHash: '', expiresAt }),
        insert('RecoveryCode', { userId: name, codeHash: '', createdAt: now }),
        insert('PasskeyChallenge', { idHash: name, salt: '', expiresAt }),
        insert('PendingAuthenticator', {
          ...{ userId: name, id: name, totpSecret: '', proof: 'totp', proofHash: null, expiresAt },
        }),
        insert('OAuthRecord', { model: 'Session', idHash: name, payload: '', expiresAt }),
      ],
    })

    await restored().end(null, [])

    const { read } = database
    const outstanding = {
      transactions: await read.transaction.count({ where: { state: 'pending' } }),
      authorisations: await read.authorisation.count({ where: { revokedAt: null } }),
      sads: await read.sad.count({ where: { endedAt: null } }),
      sentCodes: await read.sentCode.count({ where: { spentAt: null } }),
      enrolmentCodes: await read.enrolmentCode.count({ where: { usedAt: null } }),
      recoveryCodes: await read.recoveryCode.count({ where: { usedAt: null } }),
      challenges: await read.passkeyChallenge.count(),
      authenticators: await read.pendingAuthenticator.count(),
      oauth: await read.oAuthRecord.count({ where: { revokedAt: null } }),
    }
    assert.deepEqual(
      Object.entries(outstanding).filter(([, count]) => count > 0),
      [],
    )
    assert.equal(await read.sad.count({ where: { endedAt: { not: null } } }), names.length)
  })

  it('who was disabled since is disabled again, and what was deleted has no key', async () => {
    const [person, application] = [await rssp.addUser(), await rssp.addClient()]
    const deleted = await rssp.addCredential(user)
    const at = rssp.clock.now()
    await restored().end(null, [
      { at, what: 'user disabled', id: person.id },
      { at, what: 'client disabled', id: application.client_id },
      { at, what: 'credential deleted', id: deleted.id },
    ])
    const { users, clients, credentials, database, ocspResponder } = rssp.services
    assert.ok((await users.find(person.id))?.disabledAt)
    assert.ok((await clients.find(application.client_id))?.disabledAt)
    assert.equal((await users.find(user.id))?.disabledAt, null)
    assert.equal(await credentials.find(deleted.id), null)
    const key = await database.read.hsmKey.findUnique({ where: { keyId: deleted.keyId } })
    assert.equal(key?.state, 'ending')
    assert.ok(await ocspResponder.current(signingCertificate(deleted)))
  })

  it('what was revoked since is revoked again, in a list whose number was not used before', async () => {
    const { revocationLists, ocspResponder } = rssp.services
    const credential = await rssp.addCredential(user)
    const { number } = await revocationLists.current('issuing')
    const at = new Date(rssp.clock.now().getTime() - 3600_000)
    await restored().end(null, [{ at, what: 'credential revoked', id: credential.id }])
    const list = await revocationLists.current('issuing')
    assert.ok(list.number > number + 500)
    const certificate = signingCertificate(credential)
    assert.ok(list.bytes.includes(Buffer.from(certificate.serialNumber, 'hex')))
    assert.ok(await ocspResponder.current(certificate))
    const { serialNumber } = certificate
    const { read } = rssp.services.database
    const issued = await read.issuedCertificate.findUnique({ where: { serialNumber } })
    assert.deepEqual(issued?.revokedAt, at, 'since when it was revoked before')
  })

  it('what was suspended since is suspended again, and its certificate held', async () => {
    const credential = await rssp.addCredential(user)
    const at = rssp.clock.now()
    const { id } = credential
    await restored().end(null, [{ at, what: 'credential suspended', id, by: 'operator' }])
    const { credentials, revocationLists } = rssp.services
    const found = await credentials.find(id)
    assert.deepEqual([found?.status, found?.suspendedBy], ['suspended', 'operator'])
    const { bytes } = await revocationLists.current('issuing')
    assert.ok(bytes.includes(Buffer.from(signingCertificate(credential).serialNumber, 'hex')))
    rssp.clock.advance(60)
    await assert.rejects(rssp.credentialToken({ user, client, credential, digests: [digest] }))
  })

  it('what somebody gave up since proves nobody any more: passkeys, authenticators, identities', async () => {
    const [loser, another] = [await rssp.addUser(), await rssp.addUser({ otpAtSignIn: true })]
    const { database, accounts } = rssp.services
    const at = rssp.clock.now()
    const [issuer, subject] = ['https://id.example', loser.id]
    await database.commit({
      changes: [
        insert('Passkey', {
          ...{ id: 'stolen', userId: loser.id, name: '', publicKey: '', counter: 0 },
          ...{ transports: '[]', binding: '', createdAt: at },
        }),
        insert('Identity', { issuer, subject, userId: loser.id, binding: '', linkedAt: at }),
      ],
    })

    await restored().end(null, [
      { at, what: 'passkey removed', id: 'stolen' },
      { at, what: 'identity unlinked', issuer, subject },
      { at, what: 'authenticator removed', userId: loser.id },
      { at, what: 'authenticator removed', userId: another.id },
    ])

    const where = { userId: loser.id }
    assert.equal(await database.read.passkey.count({ where }), 0)
    assert.equal(await database.read.identity.count({ where }), 0)
    assert.equal(await accounts.hasAuthenticator(loser.id), false)
    // Without it they could not sign in, to enrol another.
    assert.equal(await accounts.hasAuthenticator(another.id), true)
  })
})
