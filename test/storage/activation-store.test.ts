import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type {
  ActivationStore,
  Authorisation,
  StoredSad,
} from '../../src/activation/authorisation.js'
import { DatabaseActivationStore } from '../../src/storage/activation-store.js'
import { DatabaseApprovalRequestStore } from '../../src/storage/approval-request-store.js'
import { insert, sql, sweep, type Database, type Statement } from '../../src/storage/database.js'
import { openDatabase } from '../../src/storage/open-database.js'
import { insertTransaction } from '../../src/storage/transaction-store.js'
import type { Transaction } from '../../src/transactions/transaction.js'
import { newPostgresDatabase, onPostgresql, type TestDatabase } from '../support/postgresql.js'

const NOW = new Date('2026-11-22T12:00:00Z')
const soon = (seconds: number) => new Date(NOW.getTime() + seconds * 1000)
const DIGEST = Buffer.alloc(32, 1)

/** What ends an authorisation behind the back of whoever has read it. */
const ENDINGS: [string, (id: string) => Statement][] = [
  [
    'it was revoked',
    (id) => sql`UPDATE "Authorisation" SET "revokedAt" = ${NOW} WHERE "id" = ${id}`,
  ],
  ['it expired', (id) => sql`UPDATE "Authorisation" SET "expiresAt" = ${NOW} WHERE "id" = ${id}`],
  ['its credential was suspended', () => sql`UPDATE "Credential" SET "status" = 'suspended'`],
  ['its person was disabled', () => sql`UPDATE "User" SET "disabledAt" = ${NOW}`],
  ['its application was disabled', () => sql`UPDATE "Client" SET "disabledAt" = ${NOW}`],
  ['the consent behind it ended', () => sql`UPDATE "OAuthRecord" SET "revokedAt" = ${NOW}`],
]

describe('The ledger in a database', () => {
  let folder: string
  let database: Database
  let own: TestDatabase | null = null
  let store: ActivationStore
  let names = 0
  let id: string
  let sad: StoredSad

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'openrssp-ledger-'))
    own = onPostgresql ? await newPostgresDatabase() : null
    const url = own?.url ?? `file:${join(folder, 'test.db')}`
    database = await openDatabase({ url, headFile: null, connections: 2, now: () => NOW })
    store = new DatabaseActivationStore(database)
    const [person, created] = [{ displayName: '', givenName: '', surname: '' }, { createdAt: NOW }]
    await write(
      insert('User', { id: 'u', username: 'u', ...person, passwordHash: '', ...created }),
      insert('Client', {
        ...{ id: 'c', name: '', redirectUris: '[]', grantTypes: '[]', authMethod: 'none' },
        ...created,
      }),
      insert('Credential', {
        ...{
          id: 'k',
          userId: 'u',
          description: '',
          keyId: 'k',
          keyAlgorithm: 'p-256',
          binding: '',
        },
        ...{ certificates: '[]', SCAL: '2', multisign: 9, authMode: 'explicit', status: 'enabled' },
        ...created,
      }),
      insert('OAuthRecord', { model: 'Grant', idHash: 'g', grantId: 'g', payload: '' }),
    )
  })
  after(async () => {
    await database.close()
    await own?.drop()
    rmSync(folder, { recursive: true })
  })
  beforeEach(async () => {
    await write(
      sweep(sql`UPDATE "Credential" SET "status" = 'enabled'`),
      sweep(sql`UPDATE "User" SET "disabledAt" = NULL`),
      sweep(sql`UPDATE "Client" SET "disabledAt" = NULL`),
      sweep(sql`UPDATE "OAuthRecord" SET "revokedAt" = NULL`),
    )
    names += 1
    id = `authorisation ${names}`
    sad = newSad(`sad ${names}`)
    assert.ok(await store.grantExplicitly(transaction(id), authorisation(), sad, []))
  })

  const write = (...changes: ReturnType<typeof insert>[]) => database.commit({ changes })
  const newSad = (idHash: string): StoredSad => ({
    ...{ idHash, authorisationId: id, expiresAt: soon(60), operationId: null, endedAt: null },
  })
  const transaction = (name: string): Transaction => ({
    ...{ id: name, clientId: 'c', userId: 'u', credentialId: 'k', hashAlgorithm: null },
    ...{ numSignatures: 2, description: null, clientData: null, items: [], grantId: 'g' },
    ...{ state: 'pending', createdAt: NOW, expiresAt: soon(60) },
  })
  const authorisation = (): Authorisation => ({
    ...{ id, transactionId: id, clientId: 'c', userId: 'u', credentialId: 'k' },
    ...{ hashAlgorithm: null, numSignatures: 2, createdAt: NOW, expiresAt: soon(60) },
    ...{ revokedAt: null, extendedAt: null },
    digests: [0, 1].map((position) => ({
      ...{ id: rowId(position), digest: DIGEST, hashType: null, state: 'authorised' },
      binding: null,
    })),
  })
  const rowId = (position: number) => `${id} row ${position}`
  const row = (position = 0) => ({ rowId: rowId(position), digest: DIGEST })

  type Reserve = Parameters<ActivationStore['reserve']>[0]
  const reserve = (changes: Partial<Reserve> = {}, rows = [row()]) =>
    store.reserve({
      ...{ authorisationId: id, operationId: `operation of ${id}`, sadHash: sad.idHash },
      ...{ repeatable: null, job: null, rows, uses: [{ signAlgorithm: 'x', rows }] },
      ...{ reservedUntil: soon(30), now: NOW, audit: [] },
      ...changes,
    })
  const consume = (operationId = `operation of ${id}`) => {
    const signatures = [{ rowId: rowId(0), signature: Buffer.of(1) }]
    return store.consume({ authorisationId: id, operationId, signatures, now: NOW, audit: [] })
  }
  const settle = (state: 'released' | 'indeterminate', operationId = `operation of ${id}`) =>
    store.settle({ operationId, rows: [row()], state, now: NOW, audit: [] })
  const extend = (from: StoredSad | null, to = `next of ${id}`, rows = [row(1)]) =>
    store.extend({
      ...{ authorisationId: id, sad: from, next: newSad(to), rows, now: NOW, audit: [] },
      authorisationExpiresAt: soon(60),
    })
  /** One that is unspent, but somebody else's. */
  const foreignRow = async () => {
    const other = `other than ${id}`
    const digests = [{ ...authorisation().digests[0]!, id: `${other} row` }]
    const given = { ...newSad(other), authorisationId: other }
    const granted = { ...authorisation(), id: other, transactionId: other, digests }
    assert.ok(await store.grantExplicitly(transaction(other), granted, given, []))
    return { rowId: `${other} row`, digest: DIGEST }
  }
  const states = async () => (await store.find(id))?.digests.map(({ state }) => state)

  describe('reserves', () => {
    it('what was agreed to, with the SAD, once', async () => {
      assert.equal(await reserve(), true)
      assert.deepEqual(await states(), ['reserved', 'authorised'])
      assert.equal((await store.findSad(sad.idHash))?.operationId, `operation of ${id}`)
      assert.equal(await reserve({ operationId: 'another' }, [row(1)]), false, 'the SAD again')
      assert.equal(await reserve({ sadHash: null, operationId: 'another' }), false, 'the row again')
      assert.deepEqual(await states(), ['reserved', 'authorised'])
    })

    for (const [what, ending] of ENDINGS) {
      it(`nothing once ${what} (S7)`, async () => {
        await write(sweep(ending(id)))
        assert.equal(await store.stands(id, NOW), false)
        assert.equal(await reserve(), false)
        assert.deepEqual(await states(), ['authorised', 'authorised'])
        assert.equal((await store.findSad(sad.idHash))?.operationId, null, 'the SAD was used up')
      })
    }

    it('nothing with a SAD that ended, expired or was never given out (S7)', async () => {
      await write(sweep(sql`UPDATE "Sad" SET "endedAt" = ${NOW} WHERE "idHash" = ${sad.idHash}`))
      assert.equal(await reserve(), false)
      assert.equal(await reserve({ sadHash: 'nobody’s' }), false)
      sad = newSad(`late ${id}`)
      await write(insert('Sad', { ...sad, expiresAt: NOW }))
      assert.equal(await reserve(), false)
      assert.deepEqual(await states(), ['authorised', 'authorised'])
    })

    it('nothing with a token that was traded for a SAD (S9)', async () => {
      assert.equal(await extend(null), true)
      assert.equal(await reserve({ sadHash: null }), false)
      assert.equal(await reserve({ sadHash: `next of ${id}` }), true)
    })

    it('no row of another authorisation, and none at all when one of them cannot be had (S1)', async () => {
      assert.equal(await reserve({}, [row(), await foreignRow()]), false)
      assert.deepEqual(await states(), ['authorised', 'authorised'])
    })

    it('what was released, and what signed or may have never again (S6)', async () => {
      assert.equal(await reserve(), true)
      assert.equal(await settle('released'), true)
      assert.equal(await reserve({ operationId: 'second' }), true)
      assert.equal(await settle('indeterminate', 'second'), true)
      assert.equal(await reserve({ operationId: 'third', sadHash: null }), false)
      assert.deepEqual(await states(), ['indeterminate', 'authorised'])
    })

    it('nothing under the name of another request (S69)', async () => {
      const repeatable = { keyHash: `key of ${id}`, requestHash: 'request' }
      assert.equal(await reserve({ repeatable }), true)
      const again = { repeatable, sadHash: null, operationId: 'another' }
      assert.equal(await reserve(again, [row(1)]), false)
      assert.equal(await settle('released'), true)
      assert.equal(await reserve(again, [row(1)]), true, 'what came to nothing gives its name back')
    })
  })

  describe('records signatures', () => {
    for (const [what, ending] of ENDINGS) {
      it(`not once ${what}, though the key has signed (S7)`, async () => {
        assert.equal(await reserve(), true)
        await write(sweep(ending(id)))
        assert.equal(await consume(), false)
        assert.deepEqual(await states(), ['reserved', 'authorised'])
        assert.equal(await settle('indeterminate'), true)
      })
    }

    it('of who reserved alone, once, and not after it was settled (S6, S75)', async () => {
      assert.equal(await reserve(), true)
      assert.equal(await consume('another operation'), false)
      assert.equal(await settle('released', 'another operation'), false)
      assert.equal(await consume(), true)
      assert.equal(await consume(), false)
      assert.equal(await settle('released'), false)
      assert.deepEqual(await states(), ['consumed', 'authorised'])
    })

    it('not of who slept past the reservation (S75)', async () => {
      assert.equal(await reserve(), true)
      const isAbandoned = async (now: Date) =>
        (await store.abandoned(now)).some(({ operationId }) => operationId === `operation of ${id}`)
      assert.equal(await isAbandoned(soon(29)), false)
      assert.equal(await isAbandoned(soon(31)), true)
      assert.equal(await settle('indeterminate'), true)
      assert.equal(await consume(), false)
      assert.deepEqual(await states(), ['indeterminate', 'authorised'])
    })
  })

  describe('extends', () => {
    for (const [what, ending] of ENDINGS) {
      it(`neither SAD nor token once ${what} (S7, S9)`, async () => {
        await write(sweep(ending(id)))
        assert.equal(await extend(sad), false)
        assert.equal(await extend(null), false)
        assert.equal(await store.findSad(`next of ${id}`), null)
        assert.equal((await store.findSad(sad.idHash))?.endedAt, null)
      })
    }

    it('each SAD once, and the token once (S8, S9)', async () => {
      assert.equal(await extend(sad), true)
      assert.equal(await extend(sad, 'another'), false)
      assert.equal(await extend(null, `third of ${id}`), true)
      assert.equal(await extend(null, 'another'), false)
      assert.equal(await store.findSad('another'), null)
    })

    it('by no row that is spent, nor by one of another authorisation (S6)', async () => {
      const rows = [row(1)]
      assert.equal(await reserve({ rows, uses: [{ signAlgorithm: 'x', rows }] }), true)
      assert.equal(await extend(sad), false)
      assert.equal(await extend(null, 'another', [row(0), await foreignRow()]), false)
      assert.equal(await store.findSad('another'), null)
    })

    it('not with an expired SAD (S7)', async () => {
      await write(sweep(sql`UPDATE "Sad" SET "expiresAt" = ${NOW} WHERE "idHash" = ${sad.idHash}`))
      assert.equal(await extend(sad), false)
    })
  })

  describe('grants', () => {
    it('what waits to be decided, once, and not too late (S8)', async () => {
      const asked = `asked ${id}`
      const granted = { ...authorisation(), id: asked, transactionId: asked, digests: [] }
      const grant = (now: Date) => store.grant(granted, now, [])
      await write(insertTransaction(transaction(asked)))
      assert.equal(await grant(soon(60)), false)
      assert.equal(await grant(NOW), true)
      assert.equal(await grant(NOW), false)
    })

    it('nothing that was rejected (S12)', async () => {
      const rejected = `rejected ${id}`
      await write(insertTransaction({ ...transaction(rejected), state: 'rejected' }))
      const granted = { ...authorisation(), id: rejected, transactionId: rejected, digests: [] }
      assert.equal(await store.grant(granted, NOW, []), false)
    })

    describe('for what was approved on another device', () => {
      const handleHash = () => `handle of ${id}`
      const collect = (idHash: string) =>
        new DatabaseApprovalRequestStore(database).collect({
          ...{ handleHash: handleHash(), sad: newSad(idHash), now: NOW, audit: [] },
        })
      beforeEach(() =>
        write(
          insert('ApprovalRequest', {
            ...{ transactionId: id, handleHash: handleHash(), userId: 'u', credentialId: 'k' },
            ...{ factors: '[]', expiresAt: soon(60) },
          }),
        ),
      )

      it('one SAD (S8)', async () => {
        assert.equal(await collect(`collected ${id}`), true)
        assert.equal(await collect('another'), false)
        assert.equal(await store.findSad('another'), null)
      })

      for (const [what, ending] of ENDINGS) {
        it(`no SAD once ${what} (S7)`, async () => {
          await write(sweep(ending(id)))
          assert.equal(await collect('too late'), false)
          assert.equal(await store.findSad('too late'), null)
        })
      }
    })
  })
})
