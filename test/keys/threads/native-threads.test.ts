import assert from 'node:assert/strict'
import { generateKeyPairSync, randomBytes, sign as signWith } from 'node:crypto'
import { HsmOutcomeUnknownError, HsmUnavailableError } from '../../../src/errors.js'
import { HASH_ALGORITHMS, type SignatureAlgorithm } from '../../../src/keys/algorithms.js'
import { verifyDigest } from '../../../src/keys/digest-verifier.js'
import type { ResidentKeyCustody } from '../../../src/keys/hsm-resident.js'
import type { GeneratedKey } from '../../../src/keys/key-custody.js'
import { nativeThreads } from '../../../src/keys/threads/native-threads.js'
import { verifyEach } from '../../../src/keys/verify-each.js'
import { Pkcs11Shim } from '../../support/pkcs11-shim.js'
import { digestOf } from '../../support/rssp.js'
import { newTokenDirectory, openCustody } from '../../support/softhsm.js'

const { sha256 } = HASH_ALGORITHMS
const ECDSA: SignatureAlgorithm = { scheme: 'ecdsa', hash: sha256 }
const PSS: SignatureAlgorithm = { scheme: 'rsa-pss', hash: sha256 }
const TIMEOUT_MS = 2_000

const digests = (count: number) => Array.from({ length: count }, () => randomBytes(32))

async function untilReady(): Promise<void> {
  while (!nativeThreads.areReady) await new Promise(setImmediate)
}

describe('Threads that sign many digests', () => {
  let shim: Pkcs11Shim
  let custody: ResidentKeyCustody
  let key: GeneratedKey

  before(async () => {
    shim = new Pkcs11Shim(newTokenDirectory())
    custody = await openCustody(shim.token, { sessions: 4, signTimeoutMs: TIMEOUT_MS })
    key = await custody.generate('p-256')
    await untilReady()
  })
  beforeEach(() => shim.resetCounts())
  afterEach(() => shim.heal())
  after(async () => {
    await custody.close()
    shim.close()
  })

  const sign = (count: number) => custody.sign(key.keyId, digests(count), ECDSA)

  it('sign each once, and give the signatures in the order of the digests', async () => {
    const asked = digests(50)
    const signatures = await custody.sign(key.keyId, asked, ECDSA)
    assert.equal(shim.calls('C_Sign'), 50)
    assert.equal(signatures.length, 50)
    for (const [index, digest] of asked.entries()) {
      assert.ok(await verifyDigest(key.publicKey, digest, signatures[index]!, ECDSA))
    }
  })

  it('take the parameters of PSS along', async () => {
    const rsa = await custody.generate('rsa-2048')
    const asked = digests(8)
    const signatures = await custody.sign(rsa.keyId, asked, PSS)
    assert.ok(await verifyEach(rsa.publicKey, asked, signatures, PSS))
    assert.equal(await verifyEach(rsa.publicKey, asked, signatures.reverse(), PSS), false)
  })

  it('sign nothing when the token refuses the first, which is certain then', async () => {
    shim.fault('C_SignInit', { rv: 'CKR_KEY_FUNCTION_NOT_PERMITTED' })
    await assert.rejects(sign(20), HsmUnavailableError)
    assert.equal(shim.calls('C_Sign'), 0)
  })

  it('leave the outcome unknown when one is refused after others were signed (S92)', async () => {
    shim.fault('C_SignInit', { rv: 'CKR_KEY_FUNCTION_NOT_PERMITTED', skip: 3 })
    await assert.rejects(sign(40), HsmOutcomeUnknownError)
    assert.equal(shim.calls('C_Sign'), 3)
  })

  it('leave the outcome unknown when C_Sign itself fails', async () => {
    shim.fault('C_Sign', { rv: 'CKR_DEVICE_ERROR' })
    await assert.rejects(sign(20), HsmOutcomeUnknownError)
  })

  it('are replaced for others while they are inside calls that hang (S94)', async () => {
    shim.fault('C_Sign', { hang: true, times: nativeThreads.size })
    const lost = sign(8)
    lost.catch(() => undefined)
    await shim.untilHanging('C_Sign', nativeThreads.size)
    const asked = digests(20)
    assert.equal(await verifyEach(key.publicKey, asked, asked, ECDSA), false)
    await assert.rejects(lost, HsmOutcomeUnknownError)
    shim.heal()
    while (custody.state.quarantined > 0) await new Promise(setImmediate)
    assert.equal((await sign(20)).length, 20)
  })
})

describe('Verifying many signatures', () => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const spki = publicKey.export({ format: 'der', type: 'spki' })
  const texts = Array.from({ length: 30 }, (_, index) => `text ${index}`)
  const asked = texts.map((text) => digestOf(text))
  const good = texts.map((text) => signWith('sha256', Buffer.from(text), privateKey))

  before(untilReady)

  it('takes them when all are good', async () => {
    assert.ok(await verifyEach(spki, asked, good, ECDSA))
  })

  for (const place of [0, 14, 29]) {
    it(`refuses all when number ${place} is of another digest`, async () => {
      const wrong = good.with(place, signWith('sha256', randomBytes(9), privateKey))
      assert.equal(await verifyEach(spki, asked, wrong, ECDSA), false)
    })
  }

  it('refuses fewer or more signatures than digests, and rubbish', async () => {
    assert.equal(await verifyEach(spki, asked, good.slice(1), ECDSA), false)
    assert.equal(await verifyEach(spki, asked, [...good, good[0]!], ECDSA), false)
    assert.equal(await verifyEach(randomBytes(90), asked, good, ECDSA), false)
    const empty = asked.map(() => Buffer.alloc(0))
    assert.equal(await verifyEach(spki, asked, empty, ECDSA), false)
  })
})
