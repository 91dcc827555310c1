import assert from 'node:assert/strict'
import { signingCertificate } from '../../src/credentials/credentials.js'
import { totpCode } from '../../src/identity/totp.js'
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

  it('what was revoked since is revoked again, in a list whose number was not used before', async () => {
    const { revocationLists, ocspResponder } = rssp.services
    const credential = await rssp.addCredential(user)
    const { number } = await revocationLists.current('issuing')
    await restored().end(null, [{ event: 'credential.revoked', id: credential.id }])
    const list = await revocationLists.current('issuing')
    assert.ok(list.number > number + 500)
    const certificate = signingCertificate(credential)
    assert.ok(list.bytes.includes(Buffer.from(certificate.serialNumber, 'hex')))
    assert.ok(await ocspResponder.current(certificate))
  })
})
