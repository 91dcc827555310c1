import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { Credential } from '../../src/credentials/credential.js'
import { HsmKeys } from '../../src/keys/hsm-keys.js'
import { SeveralTokens } from '../../src/keys/several-tokens.js'
import { Pkcs11Shim } from '../support/pkcs11-shim.js'
import {
  ECDSA_SHA256,
  startRssp,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../support/rssp.js'
import { newTokenDirectory } from '../support/softhsm.js'

describe('Signing with keys on two tokens', () => {
  const shims = [new Pkcs11Shim(newTokenDirectory('a')), new Pkcs11Shim(newTokenDirectory('b'))]
  let custody: SeveralTokens
  let rssp: Rssp
  let user: TestUser
  let client: TestClient
  /** By token, in the order of the shims. */
  const credentials: Credential[] = []

  before(async () => {
    const options = { sessions: 2, reopenDelayMs: 0 }
    const tokens = shims.map(({ token }) => ({
      name: token.tokenLabel,
      open: () => HsmKeys.open({ ...token, ...options }),
    }))
    custody = await SeveralTokens.open(tokens, { lookAfterMs: 5 })
    rssp = await startRssp({ custody: () => custody })
    user = await rssp.addUser()
    client = await rssp.addClient()
    while (credentials.filter(Boolean).length < 2) {
      const made = shims.map((shim) => shim.calls('C_GenerateKeyPair'))
      const credential = await rssp.addCredential(user)
      const where = shims.findIndex((shim, at) => shim.calls('C_GenerateKeyPair') !== made[at])
      credentials[where] = credential
    }
  })
  afterEach(() => shims.forEach((shim) => shim.heal()))
  after(async () => {
    await rssp.close()
    await custody.close()
    for (const shim of shims) shim.close()
  })

  async function sign(credential: Credential): Promise<number> {
    const digest = randomBytes(32)
    const token = await rssp.credentialToken({ user, client, credential, digests: [digest] })
    const hashes = [digest.toString('base64')]
    const body = { credentialID: credential.id, hashes, signAlgo: ECDSA_SHA256 }
    return (await rssp.call('signatures/signHash', body, token)).status
  }
  const ready = async () => (await fetch(`${rssp.baseUrl}/health/ready`)).status

  it('asks only the token that has the key', async () => {
    for (const [index, credential] of credentials.entries()) {
      for (const shim of shims) shim.resetCounts()
      assert.equal(await sign(credential), 200)
      const calls = shims.map((shim) => shim.calls('C_Sign'))
      assert.deepEqual(calls, index === 0 ? [1, 0] : [0, 1])
    }
  })

  it('goes on with the keys of one while the other is away, is ready, and then with all', async () => {
    for (const [index, shim] of shims.entries()) {
      shim.removeToken()
      assert.equal(await sign(credentials[index]!), 503)
      assert.equal(await sign(credentials[1 - index]!), 200)
      assert.equal(await ready(), 200)
      shim.insertToken()
      while (!custody.state.tokens[index]!.usable) await new Promise(setImmediate)
      assert.equal(await sign(credentials[index]!), 200)
    }
  })

  it('is not ready when both are away', async () => {
    for (const shim of shims) shim.removeToken()
    assert.equal(await ready(), 503)
    for (const shim of shims) shim.insertToken()
    assert.equal(await ready(), 200)
  })
})
