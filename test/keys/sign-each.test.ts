import assert from 'node:assert/strict'
import { HsmBusyError, HsmOutcomeUnknownError, HsmUnavailableError } from '../../src/errors.js'
import { HASH_ALGORITHMS, type SignatureAlgorithm } from '../../src/keys/algorithms.js'
import { signEach } from '../../src/keys/sign-each.js'
import { digestOf } from '../support/rssp.js'

const RSA: SignatureAlgorithm = { scheme: 'rsa-pkcs1', hash: HASH_ALGORITHMS.sha256 }
const digests = (count: number) =>
  Array.from({ length: count }, (_, index) => digestOf(String(index)))

describe('Signing several digests', () => {
  it('gets in line again when the token is busy, so that what is signed is not spoilt (S107)', async () => {
    let calls = 0
    const signatures = await signEach(digests(6), RSA, { atOnce: 2, together: 1 }, (input) => {
      calls += 1
      return calls % 2 === 0
        ? Promise.reject(new HsmBusyError('No session came free in time'))
        : Promise.resolve(input)
    })
    assert.equal(signatures.length, 6)
    assert.ok(calls > 6)
  })

  it('has uncertain outcome when it fails after some of it was signed', async () => {
    let calls = 0
    const failing = signEach(digests(3), RSA, { atOnce: 1, together: 1 }, (input) => {
      calls += 1
      return calls === 1 ? Promise.resolve(input) : Promise.reject(new HsmUnavailableError('gone'))
    })
    await assert.rejects(failing, HsmOutcomeUnknownError)
    assert.equal(calls, 2)
  })

  it('gives up in the end when the token stays busy, with nothing used up', async () => {
    const busy = signEach(digests(3), RSA, { atOnce: 3, together: 1 }, () =>
      Promise.reject(new HsmBusyError('busy')),
    )
    await assert.rejects(busy, HsmUnavailableError)
  })

  it('lets a single digest be tried again by whoever asked', async () => {
    let calls = 0
    const busy = signEach(digests(1), RSA, { atOnce: 3, together: 1 }, () => {
      calls += 1
      return Promise.reject(new HsmBusyError('busy'))
    })
    await assert.rejects(busy, HsmBusyError)
    assert.equal(calls, 1)
  })
})
