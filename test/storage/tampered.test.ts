import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Secrets } from '../../src/config/secrets.js'
import type { Credential } from '../../src/credentials/credential.js'
import { totpCode } from '../../src/identity/totp.js'
import { change, insert, sql, type Database, type Statement } from '../../src/storage/database.js'
import { bindEarlierRows } from '../../src/storage/earlier-rows.js'
import { InstallationStore } from '../../src/storage/installation-store.js'
import { openDatabase } from '../../src/storage/open-database.js'
import { userFacts, type BoundUser } from '../../src/storage/user-binding.js'
import { DatabaseUserStore } from '../../src/storage/user-store.js'
import { newPostgresDatabase, onPostgresql, type TestDatabase } from '../support/postgresql.js'
import {
  assertRefusal,
  digestOf,
  ECDSA_SHA256,
  quickHash,
  startRssp,
  type Rssp,
  type TestClient,
  type TestUser,
} from '../support/rssp.js'

const write = (database: Database, statement: Statement) =>
  database.commit({ changes: [change(statement, 1)] })

describe('An approval that somebody wrote into the database (S1)', () => {
  let rssp: Rssp
  let user: TestUser
  let client: TestClient
  let credential: Credential
  const digest = digestOf('what the signer agreed to')
  const foreign = digestOf('what somebody else wants')

  before(async () => {
    rssp = await startRssp({ settings: { policy: { extendTransaction: 'always' } } })
    user = await rssp.addUser()
    client = await rssp.addClient()
    credential = await rssp.addCredential(user)
  })
  after(() => rssp.close())

  const approve = (more = {}) =>
    rssp.credentialToken({ user, client, credential, digests: [digest], ...more })
  const sign = (hash: Buffer, token: string, of = credential) =>
    rssp.call(
      'signatures/signHash',
      { credentialID: of.id, hashes: [hash.toString('base64')], signAlgo: ECDSA_SHA256 },
      token,
    )
  /** Rows of the newest approval. */
  const NEWEST = sql`"authorisationId" = (SELECT "id" FROM "Authorisation" ORDER BY "createdAt" DESC, "id" LIMIT 1)`

  const ADDED = sql`INSERT INTO "AuthorisedDigest"
          ("id", "authorisationId", "position", "digest", "state", "binding")
        SELECT 'added ' || "id", "authorisationId", 99, ${foreign.toString('base64')}, 'authorised', "binding"
          FROM "AuthorisedDigest" WHERE ${NEWEST}`

  const forgeries: [string, () => Statement, Buffer][] = [
    [
      'with another digest in it',
      () =>
        sql`UPDATE "AuthorisedDigest" SET "digest" = ${foreign.toString('base64')} WHERE ${NEWEST}`,
      foreign,
    ],
    ['with a digest beside its own', () => ADDED, foreign],
    [
      'without its MAC',
      () => sql`UPDATE "AuthorisedDigest" SET "binding" = NULL WHERE ${NEWEST}`,
      digest,
    ],
  ]
  for (const [what, forge, wanted] of forgeries) {
    it(`signs nothing ${what}, and that is on record`, async () => {
      rssp.clock.advance(30)
      const token = await approve()
      await write(rssp.services.database, forge())
      assertRefusal(await sign(wanted, token), 400, 'invalid_request', 'Invalid parameter SAD')
      const events = await rssp.auditEvents()
      const { detail } = events.at(-1) ?? assert.fail('nothing is on record')
      assert.equal(detail['why'], 'an approval that was tampered with')
      assert.equal(events.at(-1)?.event, 'signature.refused')
    })
  }

  it('is not good for more signatures by extending it (S9)', async () => {
    rssp.clock.advance(30)
    const token = await approve()
    await write(rssp.services.database, ADDED)
    const hashes = [digest, foreign].map((each) => each.toString('base64'))
    const answer = await rssp.call(
      'credentials/extendTransaction',
      { credentialID: credential.id, hashes, SAD: token },
      token,
    )
    assertRefusal(answer, 400, 'invalid_request', 'Invalid parameter SAD')
  })

  it('is good for any digest at SCAL 1, once its row is bound to that digest', async () => {
    rssp.clock.advance(30)
    const open = await rssp.addCredential(user, { SCAL: '1' })
    const token = await rssp.credentialToken({
      ...{ user, client, credential: open, digests: [], numSignatures: 1 },
    })
    assert.equal((await sign(foreign, token, open)).status, 200)
  })
})

describe('A person whom somebody changed in the database (S17)', () => {
  let rssp: Rssp
  let client: TestClient

  before(async () => {
    rssp = await startRssp()
    client = await rssp.addClient()
  })
  after(() => rssp.close())

  const lastRefused = async () =>
    (await rssp.auditEvents()).findLast(({ event }) => event === 'user.refused')?.detail

  const changes: [string, (theirs: TestUser) => Statement, string][] = [
    ['the password', () => sql`"passwordHash" = ${quickHash('mine')}`, 'another MAC'],
    ['the e-mail address', () => sql`"email" = 'mallory@example.org'`, 'another MAC'],
    ['the phone number', () => sql`"phone" = '+37060099999'`, 'another MAC'],
    ['the name', () => sql`"surname" = 'Mallory'`, 'another MAC'],
    ['the second step of signing in', () => sql`"otpAtSignIn" = ${true}`, 'another MAC'],
    ['the MAC', () => sql`"binding" = NULL`, 'no MAC'],
    [
      'the authenticator',
      (theirs) =>
        sql`"totpSecret" = (SELECT o."totpSecret" FROM "User" o WHERE o."id" = ${theirs.id})`,
      'the authenticator of another',
    ],
  ]
  for (const [what, set, why] of changes) {
    it(`is nobody: ${what}`, async () => {
      const [user, other] = [await rssp.addUser(), await rssp.addUser()]
      const { accounts, users, database } = rssp.services
      const codes = () => accounts.codeStep(user.id, totpCode(other.totpSecret, rssp.clock.now()))
      assert.ok(await accounts.find(user.id))
      await write(database, sql`UPDATE "User" SET ${set(other)} WHERE "id" = ${user.id}`)
      assert.equal(await accounts.find(user.id), null)
      assert.equal(await codes(), null)
      assert.equal(await users.setContact(user.id, { email: null }, rssp.clock.now()), false)
      for (const password of [user.password, 'mine']) {
        const attempt = { username: user.username, password, address: '::1', clientId: 'c' }
        assert.equal((await accounts.checkPassword(attempt)).outcome, 'wrong-credentials')
      }
      assert.deepEqual(await lastRefused(), { userId: user.id, why })
      assert.ok(await accounts.find(other.id))
    })
  }

  it('can sign nothing they could before', async () => {
    const user = await rssp.addUser()
    const credential = await rssp.addCredential(user)
    await write(
      rssp.services.database,
      sql`UPDATE "User" SET "phone" = '+37060099999' WHERE "id" = ${user.id}`,
    )
    const digests = [digestOf('anything')]
    await assert.rejects(rssp.credentialToken({ user, client, credential, digests }))
  })

  it('is put on record once an hour, however often it is tried', async () => {
    const user = await rssp.addUser()
    const count = async () =>
      (await rssp.auditEvents()).filter(
        ({ event, detail }) => event === 'user.refused' && detail['userId'] === user.id,
      ).length
    await write(
      rssp.services.database,
      sql`UPDATE "User" SET "email" = NULL WHERE "id" = ${user.id}`,
    )
    for (let tries = 0; tries < 3; tries += 1) await rssp.services.accounts.find(user.id)
    assert.equal(await count(), 1)
    rssp.clock.advance(3601)
    await rssp.services.accounts.find(user.id)
    assert.equal(await count(), 2)
  })

  it('is somebody again once the operator confirms it, without the authenticator of another', async () => {
    const [user, other] = [await rssp.addUser(), await rssp.addUser()]
    const { accounts, users, database } = rssp.services
    await write(
      database,
      sql`UPDATE "User" SET "email" = 'new@example.org',
                 "totpSecret" = (SELECT o."totpSecret" FROM "User" o WHERE o."id" = ${other.id})
           WHERE "id" = ${user.id}`,
    )
    assert.ok(await users.confirm(user.id, rssp.clock.now()))
    assert.equal((await accounts.find(user.id))?.email, 'new@example.org')
    assert.equal(await accounts.hasAuthenticator(user.id), false)
    const last = (await rssp.auditEvents()).at(-1)
    assert.equal(last?.event, 'user.confirmed')
    assert.deepEqual(last?.detail, { userId: user.id, authenticatorRemoved: true })
    assert.equal(await users.confirm(user.id, rssp.clock.now()), false)
  })

  it('may have another address from the operator, whose change is under the MAC', async () => {
    const user = await rssp.addUser()
    const { accounts, users } = rssp.services
    assert.ok(await users.setContact(user.id, { email: 'moved@example.org' }, rssp.clock.now()))
    const found = await accounts.find(user.id)
    assert.deepEqual([found?.email, found?.phone], ['moved@example.org', '+37060012345'])
  })
})

describe('What a release before put on record without a MAC', () => {
  let folder: string
  let database: Database
  let own: TestDatabase | null
  const NOW = new Date('2027-03-01T12:00:00Z')
  const now = () => NOW
  const secrets = new Secrets(Buffer.from(Array.from({ length: 32 }, (_, index) => index)))

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'openrssp-earlier-'))
    own = onPostgresql ? await newPostgresDatabase() : null
    const url = own?.url ?? `file:${join(folder, 'test.db')}`
    database = await openDatabase({ url, headFile: null, connections: 2, now })
  })
  afterEach(async () => {
    await database.close()
    await own?.drop()
    rmSync(folder, { recursive: true })
  })

  const addEarlier = (id: string) =>
    database.commit({
      changes: [
        insert('User', {
          ...{ id, username: id, displayName: id, givenName: id, surname: id },
          ...{ passwordHash: quickHash(id), createdAt: NOW },
        }),
      ],
    })
  const bind = () =>
    bindEarlierRows({ database, installation: new InstallationStore(database), secrets, now })
  const users = () => new DatabaseUserStore(database, secrets, now)
  const events = async () =>
    (
      await database.rows<{ event: string }>(
        sql`SELECT "event" FROM "AuditRecord" WHERE "event" = 'installation.bound'`,
      )
    ).length

  it('comes under one when the database is first opened, and approvals may lack it for a day', async () => {
    await addEarlier('alice')
    assert.equal((await bind()).getTime(), NOW.getTime() + 24 * 3600_000)
    assert.equal((await users().find('alice'))?.username, 'alice')
    assert.equal(await events(), 1)
  })

  it('may lack it for that day, too, where another process has just bound everybody', async () => {
    await addEarlier('alice')
    const [alice] = await database.rows<BoundUser>(sql`SELECT * FROM "User"`)
    const binding = secrets.bind(...userFacts(alice ?? assert.fail('nobody is there')))
    await write(database, sql`UPDATE "User" SET "binding" = ${binding}`)
    assert.equal((await bind()).getTime(), NOW.getTime() + 24 * 3600_000)
  })

  it('is nothing in a new database: no approval may lack it', async () => {
    assert.equal((await bind()).getTime(), NOW.getTime())
    assert.equal((await bind()).getTime(), NOW.getTime())
    assert.equal(await events(), 1)
  })

  it('is only what was there then: who is written there later is nobody', async () => {
    await bind()
    await addEarlier('mallory')
    await bind()
    assert.equal(await users().find('mallory'), null)
    assert.deepEqual(
      (await users().list()).map(({ isIntact }) => isIntact),
      [false],
    )
  })

  it('is not bound once more for somebody who makes the database forget that it was', async () => {
    await addEarlier('alice')
    await bind()
    await addEarlier('mallory')
    await write(database, sql`DELETE FROM "Installation"`)
    assert.equal((await bind()).getTime(), 0)
    assert.equal(await users().find('mallory'), null)
    assert.ok(await users().find('alice'))
  })

  it('is not good for longer because somebody wrote so', async () => {
    await addEarlier('alice')
    await bind()
    const later = secrets.seal('another context', '2099-01-01T00:00:00.000Z')
    await write(database, sql`UPDATE "Installation" SET "value" = ${later}`)
    assert.equal((await bind()).getTime(), 0)
  })
})
