import assert from 'node:assert/strict'
import Koa from 'koa'
import { renderDocument } from '../../src/oauth/pages/index.js'
import { chosenLanguage, keepChosenLanguage } from '../../src/pages/chosen-language.js'

describe('The language a person chooses at the foot of a page', () => {
  const app = new Koa()
  app.use(keepChosenLanguage)
  app.use((ctx) => {
    ctx.body = chosenLanguage(ctx) ?? 'none'
  })
  const handle = app.callback()

  async function get(path: string, cookie = ''): Promise<{ language: string; cookie: string }> {
    const { createServer } = await import('node:http')
    const server = createServer((request, response) => void handle(request, response))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    try {
      const { port } = server.address() as { port: number }
      const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { cookie } })
      const [kept = ''] = response.headers.getSetCookie()
      return { language: await response.text(), cookie: kept }
    } finally {
      server.closeAllConnections()
      server.close()
    }
  }

  it('holds at once, and for the pages that follow', async () => {
    const chosen = await get('/oauth2/interaction/i-1?lang=de')
    assert.equal(chosen.language, 'de')
    assert.equal(chosen.cookie, 'lang=de; path=/; samesite=lax; httponly')
    for (const path of ['/oauth2/interaction/i-1', '/account', '/demo/', '/oauth2/authorize']) {
      assert.equal((await get(path, 'lang=de')).language, 'de')
    }
  })

  it('is chosen anew on any page', async () => {
    const again = await get('/account/factors?lang=en', 'lang=de')
    assert.deepEqual([again.language, again.cookie.slice(0, 7)], ['en', 'lang=en'])
  })

  it('is not what an application asks for', async () => {
    for (const path of ['/oauth2/authorize?lang=de', '/csc/v2/info?lang=de', '/accounts?lang=de']) {
      assert.deepEqual(await get(path), { language: 'none', cookie: '' })
    }
  })

  it('is one that the pages are written in', async () => {
    for (const lang of ['fr', 'DE', '', 'de%0d%0aX', '__proto__']) {
      assert.deepEqual(await get(`/account?lang=${lang}`), { language: 'none', cookie: '' })
      assert.equal((await get('/account', `lang=${lang}`)).language, 'none')
    }
  })

  it('leaves the person at the page of the document they are looking at', () => {
    const html = renderDocument({
      ...{ lang: 'en', here: '/documents/1?page=7&zoom=2', number: 1, back: '/' },
      ...{ hashAlgorithm: 'SHA-256', digestHex: 'ab' },
      document: {
        ...{ name: null, size: 1, href: '/documents/1' },
        view: { kind: 'unshowable', why: 'damaged' },
      },
    })
    assert.match(html, /href="\/documents\/1\?page=7&amp;zoom=2&amp;lang=de" lang="de"/)
  })
})
