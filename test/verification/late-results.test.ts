import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import Koa from 'koa'
import { OverloadedError } from '../../src/errors.js'
import { PageRenderer } from '../../src/oauth/page-renderer.js'
import { createLogger } from '../../src/observability/logger.js'
import type { Report } from '../../src/verification/report.js'
import { verify, type VerifyParts } from '../../src/verify/verify.js'

const REPORT: Report = {
  ...{ indication: 'TOTAL-FAILED', validationTime: '2026-03-04T14:32:00Z', lang: 'en' },
  document: { name: 'x.pdf', format: 'PDF', bytes: 1, sha256: 'ab' },
  ...{ signatures: [], timestamps: [], findings: [] },
}

describe('Checking a document that takes long', () => {
  let server: Server
  let finish: (report: Report) => void
  let fail: (error: Error) => void
  let checking: Promise<Report>

  before(async () => {
    const parts = {
      verification: { verify: () => checking },
      gate: { pass: (_entrant: unknown, work: () => Promise<Report>) => work() },
      pages: new PageRenderer({ clients: {} as never, defaultLanguage: 'en' }),
      limits: { bodyBytes: 1000, documentBytes: 1000 },
      ...{ defaultLanguage: 'en', silentMs: 1, logger: createLogger('silent') },
    } as unknown as VerifyParts
    const app = new Koa()
    app.use(verify(parts))
    const handle = app.callback()
    server = createServer((request, response) => void handle(request, response))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  })
  after(() => {
    server.closeAllConnections()
    server.close()
  })
  beforeEach(beginAnew)

  function beginAnew(): void {
    checking = new Promise((resolve, reject) => {
      finish = resolve
      fail = reject
    })
  }

  /** The answer as it comes: how it begins, and the rest. */
  async function upload() {
    const form = new FormData()
    form.set('document', new Blob(['x']), 'x.pdf')
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/verification`
    const response = await fetch(url, { method: 'POST', body: form })
    const reader = response.body?.getReader()
    assert.ok(reader)
    const text = new TextDecoder()
    const beginning = text.decode((await reader.read()).value, { stream: true })
    const rest = async () => {
      let all = ''
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        all += text.decode(part.value, { stream: true })
      }
      return all
    }
    return { response, beginning, rest }
  }

  it('says so at once, without script, and then what was found', async () => {
    const { response, beginning, rest } = await upload()
    assert.equal(response.status, 200)
    assert.match(beginning, /<title>Check signatures – OpenRSSP<\/title>/)
    assert.match(beginning, /role="status">Your document has arrived and is being checked\./)
    finish(REPORT)
    const end = await rest()
    assert.match(end, /^<h1>Not valid<\/h1>/)
    assert.ok(end.trimEnd().endsWith('</html>'))
    assert.doesNotMatch(beginning + end, /<script|<hr|http-equiv/)
  })

  it('ends in a page that says what to do where no result comes', async () => {
    for (const [error, words] of [
      [
        new OverloadedError('too many', 1),
        /Too many documents are being checked\. Please try again/,
      ],
      [new Error('unforeseen'), /Please try again/],
    ] as const) {
      const { rest } = await upload()
      fail(error)
      const end = await rest()
      assert.match(end, words)
      assert.match(end, /href="\/verification\?lang=en"/)
      assert.ok(end.trimEnd().endsWith('</html>'))
      beginAnew()
    }
  })
})
