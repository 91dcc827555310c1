import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Application } from '../../scripts/chaos/application.js'
import { Journal } from '../../scripts/chaos/journal.js'

const REQUEST_ID = 'Invalid parameter requestID'
const NOT_AGREED = 'Hash is not authorized by the SAD'

describe('an application under chaos', () => {
  const said = (error_description: string) => ({ error: 'said', error_description })
  const cases: [string, number, unknown, number][] = [
    ['withheld since the token has ended by a clock', 401, said('The token is expired'), 0],
    ['withheld since its time is over by a clock', 400, said(REQUEST_ID), 0],
    ['not told, as too many ask', 429, said('Too many requests wait already'), 0],
    ['of unknown outcome', 500, said('unexpected'), 500],
    ['a refusal', 400, said(NOT_AGREED), 400],
    ['there', 200, { signatures: ['AA==', 'AQ=='] }, 200],
  ]
  for (const [what, status, body, remembered] of cases) {
    it(`takes a result that is ${what} as ${remembered || 'nothing known'}`, async () => {
      const requests = await liveLater({ status, body })
      assert.deepEqual(
        requests.map(({ status }) => status),
        [remembered],
      )
    })
  }

  it('takes a refusal to accept a signing for one, whatever the reason', async () => {
    const requests = await liveLater({ status: 401, body: said('The token is expired') }, 401)
    assert.deepEqual(
      requests.map(({ status }) => status),
      [401],
    )
  })
})

/** What is remembered of one signing whose result is fetched later. */
async function liveLater(polled: { status: number; body: unknown }, accepted = 200) {
  const server = createServer((request, response) => {
    const isPolling = request.url?.endsWith('/signPolling')
    const body = isPolling || accepted !== 200 ? polled.body : { responseID: 'later' }
    response.statusCode = isPolling ? polled.status : accepted
    request.resume().on('end', () => response.end(JSON.stringify(body)))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const credential = { id: 'credential', userId: 'user', signAlgo: '1.2.840.10045.4.3.2' }
  const application = new Application({
    start: {
      name: 'story',
      plan: {
        ...{ kind: 'later', digests: 2, keyed: false, again: false },
        ...{ credential: 0, doors: [0], pauseMs: 0 },
      },
      credential: { ...credential, pin: null },
      foreign: { ...credential, id: 'other', pin: null },
      ...{ documents: ['one', 'two'], token: 'token', authorisationId: 'authorisation' },
    },
    journal: new Journal(),
    doors: [`http://127.0.0.1:${(server.address() as AddressInfo).port}`],
  })
  try {
    await application.live()
    return application.requests
  } finally {
    await new Promise((resolve) => server.close(resolve))
  }
}
