import assert from 'node:assert/strict'
import type { Browser } from 'playwright-core'
import { launchChromium, screenshot } from '../support/chromium.js'
import { startRssp, type Rssp } from '../support/rssp.js'

interface Document {
  readonly openapi: string
  readonly servers: { url: string }[]
  readonly paths: Record<string, unknown>
  readonly components: {
    securitySchemes: { oauth2?: { flows: { authorizationCode: { tokenUrl: string } } } }
  }
}

describe('The description of the API', () => {
  let rssp: Rssp
  let browser: Browser
  before(async () => {
    rssp = await startRssp()
    browser = await launchChromium()
  })
  after(async () => {
    await browser.close()
    await rssp.close()
  })

  async function document(path: string): Promise<{ response: Response; document: Document }> {
    const response = await fetch(rssp.baseUrl + path)
    return { response, document: (await response.json()) as Document }
  }

  const served: [string, string][] = [
    ['/openapi.json', '/csc/v2'],
    ['/csc/v2/openapi.json', '/csc/v2'],
    ['/csc/v1/openapi.json', '/csc/v1'],
    ['/csc/v0/openapi.json', '/csc/v0'],
    ['/oauth2/openapi.json', ''],
  ]
  for (const [path, base] of served) {
    it(`is at ${path}, with the address of this service, for everybody`, async () => {
      const { response, document: found } = await document(path)
      assert.equal(response.status, 200)
      assert.match(response.headers.get('content-type') ?? '', /^application\/json/)
      assert.equal(response.headers.get('access-control-allow-origin'), '*')
      assert.match(found.openapi, /^3\.1\./)
      assert.deepEqual(
        found.servers.map(({ url }) => url),
        [rssp.baseUrl + base],
      )
    })
  }

  it('names the token endpoint by its whole address', async () => {
    const { oauth2 } = (await document('/openapi.json')).document.components.securitySchemes
    assert.equal(oauth2?.flows.authorizationCode.tokenUrl, `${rssp.baseUrl}/oauth2/token`)
  })

  it('describes every method that `info` names, and no other but extensions', async () => {
    for (const version of ['v2', 'v1', 'v0']) {
      const base = `/csc/${version}`
      const info = await fetch(`${rssp.baseUrl}${base}/info`, { method: 'POST' })
      const { methods } = (await info.json()) as { methods: string[] }
      const { paths } = (await document(`${base}/openapi.json`)).document
      const described = Object.keys(paths).map((path) => path.slice(1))
      assert.deepEqual(
        described.filter((path) => !/^(info$|oauth2\/|documents\/)/.test(path)),
        methods.filter((path) => !path.startsWith('oauth2/')),
      )
    }
  })

  it('is readable at /reference: without an origin, without a complaint, without other sites', async () => {
    const page = await browser.newPage()
    const complaints: string[] = []
    const asked: string[] = []
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text())
    })
    page.on('pageerror', (error) => complaints.push(error.message))
    page.on('request', (request) => asked.push(request.url()))
    const response = await page.goto(`${rssp.baseUrl}/reference`)
    const policy = response?.headers()['content-security-policy'] ?? ''
    assert.match(
      policy,
      /^sandbox allow-scripts allow-popups; default-src 'none'; script-src 'self'/,
    )
    assert.ok(!/unsafe|allow-same-origin|https?:/.test(policy), policy)
    await page.getByText('Sign digests the signer approved').waitFor()
    await page.getByText('Sign digests the signer approved').click()
    await page.getByText('Idempotency-Key', { exact: false }).first().waitFor()
    await screenshot(page, 'reference')
    assert.equal(await page.evaluate('origin'), 'null')
    assert.equal(await page.getByRole('button', { name: 'Try it out' }).count(), 0)
    await page.getByRole('link', { name: 'OAuth' }).click()
    await page.getByText('End a token, RFC 7009').waitFor()
    assert.deepEqual(complaints, [])
    assert.deepEqual(
      asked.filter((url) => !url.startsWith(rssp.baseUrl) && !url.startsWith('data:')),
      [],
    )
  })

  it('says where the document is when there is no script', async () => {
    const html = await (await fetch(`${rssp.baseUrl}/reference`)).text()
    assert.match(html, /<noscript>.*href="\/openapi\.json"/)
  })

  it('takes nothing but reading', async () => {
    for (const path of ['/openapi.json', '/reference', '/reference/swagger-ui.js']) {
      for (const method of ['POST', 'OPTIONS', 'DELETE']) {
        const { status, headers } = await fetch(rssp.baseUrl + path, { method })
        assert.deepEqual([status, headers.get('allow')], [405, 'GET, HEAD'], `${method} ${path}`)
      }
    }
  })
})
