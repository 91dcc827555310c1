import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Secrets } from '../../src/config/secrets.js'
import type { PendingAuthenticator } from '../../src/identity/enrolment.js'
import { insert, type Database } from '../../src/storage/database.js'
import { DatabaseEnrolmentStore } from '../../src/storage/enrolment-store.js'
import { openDatabase } from '../../src/storage/open-database.js'

const NOW = new Date('2026-11-22T12:00:00Z')
const LATER = new Date('2026-11-22T12:10:00Z')

describe('Authenticators that wait to be confirmed', () => {
  let folder: string
  let database: Database
  let store: DatabaseEnrolmentStore

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'openrssp-enrolment-'))
    Secrets.create(join(folder, 'secrets.key'))
    const url = `file:${join(folder, 'test.db')}`
    database = await openDatabase({ url, headFile: null, connections: 2, now: () => NOW })
    store = new DatabaseEnrolmentStore(database, Secrets.read(join(folder, 'secrets.key')))
    const names = { username: 'u', displayName: '', givenName: '', surname: '' }
    const user = { id: 'u', ...names, passwordHash: '', createdAt: NOW }
    await database.commit({ changes: [insert('User', user)] })
  })
  after(async () => {
    await database.close()
    rmSync(folder, { recursive: true })
  })

  const shown = (id: string): PendingAuthenticator => ({
    ...{ userId: 'u', id, totpSecret: `SECRET${id}`, proof: 'totp', proofHash: null },
    expiresAt: LATER,
  })
  const confirm = (pending: PendingAuthenticator, at = NOW) =>
    store.confirm({ pending, step: 1, recoveryHashes: [], at, audit: [] })

  it('are confirmed once, the one shown last alone, and in time (S8, S29)', async () => {
    await store.begin(shown('first'))
    await store.begin(shown('second'))
    assert.equal(await confirm(shown('first')), false, 'another one took its place')
    assert.equal(await confirm(shown('second'), LATER), false, 'too late')
    assert.equal((await database.read.user.findFirst())?.totpSecret, null)
    assert.equal(await confirm(shown('second')), true)
    assert.equal(await confirm(shown('second')), false, 'confirmed before')
  })
})
