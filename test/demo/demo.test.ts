import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Koa from 'koa'
import { demo } from '../../src/demo/demo.js'

interface Answer {
  status: number | undefined
  headers: Record<string, string | string[] | undefined>
  body: string
}

describe('The files of the demo application', () => {
  let directory: string
  let server: Server

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'openrssp-demo-'))
    await writeFile(join(directory, 'index.html'), '<!doctype html>')
    await writeFile(join(directory, 'index.de.html'), '<!doctype html><html lang="de">')
    await writeFile(join(directory, 'demo.js'), '// script')
    await writeFile(join(directory, 'demo.css'), '/* style */')
    await writeFile(join(directory, 'other.txt'), 'not meant for anyone')
    const app = new Koa()
    app.use(demo({ directory }))
    app.use((ctx) => {
      ctx.status = 404
      ctx.body = 'passed on'
    })
    server = createServer(app.callback() as never).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
  })

  after(async () => {
    server.close()
    await rm(directory, { recursive: true })
  })

  /** Sends the path as it is; `fetch` would tidy it up first. */
  function send(path: string, method = 'GET', language = 'en'): Promise<Answer> {
    const { port } = server.address() as AddressInfo
    return new Promise((resolve, reject) => {
      const headers = { 'accept-language': language }
      const asked = { port, host: '127.0.0.1', path, method, headers, agent: false }
      request(asked, (response) => {
        let body = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => (body += chunk))
        response.on('end', () => {
          resolve({ status: response.statusCode, headers: response.headers, body })
        })
      })
        .on('error', reject)
        .end()
    })
  }

  it('greets in German who prefers it', async () => {
    for (const [language, lang] of [
      ['de-AT,en;q=0.5', 'de'],
      ['en,de;q=0.5', null],
      ['fr', null],
    ] as const) {
      const { body, headers } = await send('/demo/', 'GET', language)
      assert.equal(body, `<!doctype html>${lang ? `<html lang="${lang}">` : ''}`)
      assert.equal(headers['vary'], 'Accept-Language, Cookie')
    }
  })

  for (const [path, type, body] of [
    ['/demo/', 'text/html; charset=utf-8', '<!doctype html>'],
    ['/demo/demo.js', 'text/javascript; charset=utf-8', '// script'],
    ['/demo/demo.css', 'text/css; charset=utf-8', '/* style */'],
  ] as const) {
    it(`include ${path} as ${type}`, async () => {
      const answer = await send(path)
      assert.equal(answer.status, 200)
      assert.equal(answer.headers['content-type'], type)
      assert.equal(answer.headers['x-content-type-options'], 'nosniff')
      assert.equal(answer.body, body)
    })
  }

  it('may load and call nothing but their own origin, nor be framed', async () => {
    const { headers } = await send('/demo/')
    const policy = String(headers['content-security-policy']).split('; ')
    for (const directive of [
      "default-src 'self'",
      "connect-src 'self'",
      "img-src 'self' data:",
      "frame-ancestors 'none'",
    ]) {
      assert.ok(policy.includes(directive), directive)
    }
    assert.equal(headers['referrer-policy'], 'no-referrer')
    assert.equal(headers['cross-origin-opener-policy'], 'same-origin')
  })

  it('leave no copy of the page in caches: authorization codes arrive there', async () => {
    assert.equal((await send('/demo/?code=c-1&state=s-1')).headers['cache-control'], 'no-store')
  })

  it('are found from /demo by a redirect that no request can bend', async () => {
    for (const path of ['/demo', '/demo?next=//evil.example', '/demo?//evil.example/']) {
      const answer = await send(path)
      assert.equal(answer.status, 308)
      assert.equal(answer.headers['location'], '/demo/')
    }
  })

  for (const path of [
    '/demo/other.txt',
    '/demo/index.html',
    '/demo/../package.json',
    '/demo/%2e%2e/package.json',
    '/demo/..%2fpackage.json',
    '/demo//demo.js',
    '/demo/demo.js/',
    '/demo/demo.js%00',
    '/demo/DEMO.JS',
    '/demo/__proto__',
    '/demo/constructor',
    '//demo/',
    '/Demo/',
    '/constructor',
  ]) {
    it(`do not include ${path}`, async () => {
      assert.deepEqual([(await send(path)).status, (await send(path)).body], [404, 'passed on'])
    })
  }

  it('are read only', async () => {
    for (const method of ['POST', 'PUT', 'DELETE']) {
      const answer = await send('/demo/', method)
      assert.equal(answer.status, 405)
      assert.equal(answer.headers['allow'], 'GET, HEAD')
    }
    assert.equal((await send('/demo/', 'HEAD')).status, 200)
  })
})
