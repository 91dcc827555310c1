import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isPublicAddress } from '../../src/certificates/public-address.js'
import { publicPost } from '../../src/signing/public-post.js'

describe('Requests to addresses that applications name', () => {
  const special = [
    ...['0.0.0.0', '10.1.2.3', '100.64.0.1', '127.0.0.1', '127.255.255.254', '169.254.169.254'],
    ...['172.16.0.1', '172.31.255.255', '192.0.0.8', '192.0.2.1', '192.168.1.1', '198.18.0.1'],
    ...['198.51.100.7', '203.0.113.9', '224.0.0.1', '255.255.255.255'],
    ...['::', '::1', '::ffff:127.0.0.1', '::ffff:8.8.8.8', '::127.0.0.1', '64:ff9b::7f00:1'],
    ...[
      'fe80::1',
      'fc00::1',
      'fd12:3456::1',
      'ff02::1',
      '2001:db8::1',
      '2002:7f00:1::1',
      '2001::1',
    ],
    ...['', 'localhost', '127.1', '0x7f000001', '2130706433', '8.8.8.8 '],
  ]
  for (const address of special) {
    it(`do not go to ${address || 'nothing'}`, () => {
      assert.equal(isPublicAddress(address), false)
    })
  }

  for (const address of ['8.8.8.8', '172.32.0.1', '192.167.0.1', '2606:4700::1111', '2a00::1']) {
    it(`may go to ${address}`, () => {
      assert.equal(isPublicAddress(address), true)
    })
  }

  const request = { headers: {}, body: Buffer.from('{}') }
  const resolving = (...addresses: string[]) =>
    publicPost({
      resolve: () => Promise.resolve(addresses.map((address) => ({ address, family: 4 }))),
    })

  const refused: [string, string][] = [
    ['an address without TLS', 'http://app.example/'],
    ['this machine', 'https://127.0.0.1/'],
    ['this machine, by a number', 'https://2130706433/'],
    ['this machine, in octal', 'https://0177.0.0.1/'],
    ['this machine, in IPv6', 'https://[::1]/'],
    ['this machine, mapped', 'https://[::ffff:127.0.0.1]/'],
    ['the metadata of a cloud', 'https://169.254.169.254/latest/meta-data/'],
  ]
  for (const [title, url] of refused) {
    it(`are refused for ${title}`, async () => {
      await assert.rejects(
        resolving('8.8.8.8')(new URL(url), request),
        /not (a public address|https)/,
      )
    })
  }

  it('are refused for a name of which any address is not public, and for one of none', async () => {
    const url = new URL('https://app.example/')
    for (const post of [resolving('8.8.8.8', '10.0.0.1'), resolving('::1'), resolving()]) {
      await assert.rejects(post(url, request), /not a public address/)
    }
  })

  it('ask for the addresses of a name once (S60)', async () => {
    let asked = 0
    const post = publicPost({
      resolve: () => {
        asked += 1
        return Promise.resolve([{ address: '10.0.0.1', family: 4 }])
      },
    })
    await assert.rejects(post(new URL('https://app.example/'), request))
    assert.equal(asked, 1)
  })

  describe('over TLS', () => {
    let server: Server
    let certificate: string
    let port: number
    const seen: { url: string; host: string; body: string; headers: string[] }[] = []

    before(async () => {
      const folder = mkdtempSync(join(tmpdir(), 'openrssp-tls-'))
      const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
      execFileSync(
        'openssl',
        [
          ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
          ...['-keyout', key, '-out', cert, '-days', '2', '-subj', '/CN=app.example'],
          ...['-addext', 'subjectAltName=DNS:app.example'],
        ],
        { stdio: 'ignore' },
      )
      certificate = readFileSync(cert, 'utf8')
      server = createServer({ key: readFileSync(key), cert: certificate }, (request, response) => {
        let body = ''
        request.on('data', (chunk: Buffer) => (body += chunk.toString()))
        request.on('end', () => {
          const { url = '', headers } = request
          seen.push({ url, host: headers.host ?? '', body, headers: Object.keys(headers) })
          if (url === '/silent') return
          response.writeHead(url === '/moved' ? 307 : 200, { location: '/elsewhere' })
          // More than anybody wants to read, and without an end.
          response.write(Buffer.alloc(1024 * 1024))
        })
      })
      rmSync(folder, { recursive: true })
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
      port = (server.address() as AddressInfo).port
    })
    after(() => {
      server.closeAllConnections()
      server.close()
    })
    beforeEach(() => {
      seen.length = 0
    })

    const here = () => ({
      resolve: () => Promise.resolve([{ address: '127.0.0.1', family: 4 }]),
      isAllowed: () => true,
      authorities: certificate,
    })
    const address = (path: string, host = 'app.example') =>
      new URL(`https://${host}:${port}${path}`)
    const message = {
      headers: { 'Content-Type': 'application/json' },
      body: Buffer.from('{"a":1}'),
    }

    it('bring the body, send nothing of ours along, and do not read the answer', async () => {
      assert.equal(await publicPost(here())(address('/done'), message), 200)
      const [request] = seen
      assert.deepEqual([request?.url, request?.body], ['/done', '{"a":1}'])
      assert.equal(request?.host, `app.example:${port}`)
      assert.deepEqual(request.headers.sort(), [
        ...['connection', 'content-length', 'content-type', 'host'],
      ])
    })

    it('follow no redirect (S60)', async () => {
      assert.equal(await publicPost(here())(address('/moved'), message), 307)
      assert.deepEqual(
        seen.map(({ url }) => url),
        ['/moved'],
      )
    })

    it('trust no certificate of another name, nor of an unknown authority (S112)', async () => {
      const { resolve, isAllowed } = here()
      await assert.rejects(publicPost({ resolve, isAllowed })(address('/'), message), /self-signed/)
      await assert.rejects(publicPost(here())(address('/', 'other.example'), message), /altnames/)
      assert.deepEqual(seen, [])
    })

    it('give up on who does not answer', async () => {
      const post = publicPost({ ...here(), timeoutMs: 200 })
      await assert.rejects(post(address('/silent'), message), /timeout|abort/i)
    })
  })
})
