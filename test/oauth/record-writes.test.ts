import assert from 'node:assert/strict'
import { StorageUnavailableError } from '../../src/errors.js'
import type { Unit } from '../../src/storage/database.js'
import { DatabaseThrottle } from '../../src/storage/throttle-store.js'
import { startRssp, type Rssp, type TestClient } from '../support/rssp.js'
import { SignerBrowser, textOf } from '../support/signer-browser.js'
import { answersOf, asPage, codeGrant, serviceRequest } from './application.js'

const UNAVAILABLE = { error: 'temporarily_unavailable', error_description: 'Try again later' }

/** The kinds of records of the authorization server that a unit writes. */
function kindsOf({ changes }: Unit): string[] {
  const kinds = ['Session', 'Grant', 'AuthorizationCode', 'AccessToken', 'RefreshToken']
  return changes.flatMap(({ statement }) =>
    statement.sql.startsWith('INSERT INTO "OAuthRecord"')
      ? statement.values.filter((value) => kinds.includes(String(value))).map(String)
      : [],
  )
}

describe('What one OAuth request writes (S31)', () => {
  let rssp: Rssp
  let client: TestClient
  let restore: () => void
  const written: string[][] = []
  let isBroken: (kinds: readonly string[]) => boolean = () => false

  before(async () => {
    rssp = await startRssp()
    client = await rssp.addClient()
    const { database } = rssp.services
    const commit = database.commit.bind(database)
    database.commit = async (unit) => {
      const kinds = kindsOf(unit)
      if (isBroken(kinds)) throw new StorageUnavailableError('SQLITE_FULL')
      await commit(unit)
      if (kinds.length > 0) written.push(kinds)
    }
    restore = () => {
      database.commit = commit
    }
  })
  beforeEach(() => {
    written.length = 0
    isBroken = () => false
  })
  after(async () => {
    restore()
    await rssp.close()
  })

  const redeem = (code: string | null) =>
    fetch(`${rssp.baseUrl}/oauth2/token`, {
      method: 'POST',
      body: new URLSearchParams(codeGrant(client, code ?? '')),
    })

  async function authorized(browser = new SignerBrowser(rssp.baseUrl)): Promise<string | null> {
    const user = await rssp.addUser()
    const answer = await browser.authorize(serviceRequest(client), answersOf(rssp, user))
    return answer.get('code')
  }

  it('stands together: a session with the code that was given out in it, a token with its refresh', async () => {
    const code = await authorized()
    assert.ok(written.some((kinds) => kinds.join() === 'AuthorizationCode,Session'))
    written.length = 0
    assert.equal((await redeem(code)).status, 200)
    assert.deepEqual(written, [['AccessToken', 'RefreshToken']])
  })

  it('falls together: no token is given out of which one could not be written, and the code is used', async () => {
    const code = await authorized()
    isBroken = (kinds) => kinds.includes('RefreshToken')
    const failed = await redeem(code)
    assert.deepEqual([failed.status, await failed.json()], [503, UNAVAILABLE])
    assert.equal(failed.headers.get('retry-after'), '1')
    assert.deepEqual(written.flat().includes('AccessToken'), false)
    isBroken = () => false
    const again = await redeem(code)
    assert.equal(again.status, 400)
    assert.equal(((await again.json()) as { error: string }).error, 'invalid_grant')
  })

  it('is on disk before the browser learns of it: neither cookie nor code of what is not', async () => {
    isBroken = (kinds) => kinds.includes('AuthorizationCode')
    const browser = new SignerBrowser(rssp.baseUrl)
    const user = await rssp.addUser()
    const opened = asPage(
      await browser.open(
        `/oauth2/authorize?${new URLSearchParams(serviceRequest(client)).toString()}`,
      ),
    )
    const failed = asPage(await browser.fillIn(opened, answersOf(rssp, user)))
    assert.equal(failed.status, 503)
    assert.match(textOf(failed.html), /Not available at the moment/)
    assert.equal(failed.headers.get('location'), null)
    assert.deepEqual(failed.headers.getSetCookie(), [])
    assert.equal(browser.cookies.has('_session'), false)
  })

  describe('also as limits that are counted at once', () => {
    let throttle: DatabaseThrottle

    before(() => {
      throttle = new DatabaseThrottle(rssp.services.database, rssp.clock.now)
    })

    it('name the first that is over; those behind it are not counted, those before it are', async () => {
      const limits = [
        { key: 'wide', limit: 3 },
        { key: 'narrow', limit: 1 },
        { key: 'last', limit: 1 },
      ]
      assert.equal(await throttle.firstExhausted(limits, 60), null)
      assert.equal(await throttle.firstExhausted(limits, 60), 'narrow')
      assert.equal(await throttle.firstExhausted(limits, 60), 'narrow')
      assert.equal(await throttle.firstExhausted(limits, 60), 'wide')
      rssp.clock.advance(61)
      assert.equal(await throttle.firstExhausted(limits, 60), null)
    })

    it('let no more through than the narrowest of them, of many at once', async () => {
      const limits = [
        { key: 'address', limit: 100 },
        { key: 'name', limit: 5 },
      ]
      const tried = await Promise.all(
        Array.from({ length: 20 }, () => throttle.firstExhausted(limits, 60)),
      )
      assert.equal(tried.filter((each) => each === null).length, 5)
      assert.equal(tried.filter((each) => each === 'name').length, 15)
      const [row] = await rssp.services.database.read.throttle.findMany({
        where: { key: 'address' },
      })
      assert.equal(row?.count, 20)
    })
  })
})
