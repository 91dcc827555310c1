import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { HsmKeys } from '../../src/keys/hsm-keys.js'
import { newKeyId } from '../../src/keys/key-id.js'
import { HASH_ALGORITHMS } from '../../src/keys/algorithms.js'
import { newTestToken } from '../support/softhsm.js'
import { WrappedKeyTable } from '../support/wrapped-keys.js'
import { opensslVerifies } from '../support/openssl.js'

it('smoke', async () => {
  const token = newTestToken()
  const table = new WrappedKeyTable()
  let keys = await HsmKeys.open({ ...token, wrappedKeys: table, sessions: 4 })
  console.log(await keys.makeWrappingKeys())
  const key = await keys.generate('p-256', newKeyId('wrapped'))
  table.keep(key)
  const digest = randomBytes(32)
  const alg = { scheme: 'ecdsa' as const, hash: HASH_ALGORITHMS.sha256 }
  const [s] = await keys.sign(key.keyId, [digest], alg)
  assert.ok(opensslVerifies(key.publicKey, digest, s!, alg))
  let t = performance.now()
  for (let i = 0; i < 300; i++) await keys.sign(key.keyId, [digest], alg)
  console.log('cached/s', 300e3 / (performance.now() - t))
  t = performance.now()
  for (let i = 0; i < 20; i++) await Promise.all(Array.from({length:32},()=>keys.sign(key.keyId, [digest], alg)))
  console.log('cached concurrent/s', 640e3 / (performance.now() - t))
  t = performance.now()
  for (let i = 0; i < 100; i++) { await keys.destroy(key.keyId); await keys.sign(key.keyId, [digest], alg)}
  console.log('uncached/s', 100e3 / (performance.now() - t))
  t = performance.now()
  for (let i = 0; i < 50; i++) await keys.generate('p-256', newKeyId('wrapped'))
  console.log('generate/s', 50e3 / (performance.now() - t))
  console.log(await keys.unwrappedState(), keys.state)
  console.table(keys.capabilities)
  await keys.close()
})
