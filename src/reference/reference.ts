import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { Middleware } from 'koa'
import { refusesWriting, type DescribedApi } from './documents.js'
import { PACKAGE } from '../package-files.js'

const FOLDER = join(PACKAGE, 'src/reference/viewer')
const { resolve } = createRequire(import.meta.url)

/** All there is. Paths are looked up here and never built from the request. */
const FILES: Readonly<Record<string, { file: string; type: string }>> = {
  '/reference/reference.css': { file: join(FOLDER, 'reference.css'), type: 'text/css' },
  '/reference/reference.js': { file: join(FOLDER, 'reference.js'), type: 'text/javascript' },
  '/reference/swagger-ui.css': {
    file: resolve('swagger-ui-dist/swagger-ui.css'),
    type: 'text/css',
  },
  '/reference/swagger-ui.js': {
    file: resolve('swagger-ui-dist/swagger-ui-bundle.js'),
    type: 'text/javascript',
  },
}

/**
 * The viewer is a large script by others. `sandbox` takes the page out of our origin, where signers
 * approve: it has no cookies, no storage and reads nothing but what is for everybody.
 */
const CONTENT_SECURITY_POLICY = [
  'sandbox allow-scripts allow-popups',
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** The API reference for people, `/reference`, one page for each document. */
export function reference(apis: readonly DescribedApi[]): Middleware {
  const files = new Map(
    Object.entries(FILES).map(([path, { file, type }]) => [
      path,
      { type: `${type}; charset=utf-8`, bytes: readFileSync(file) },
    ]),
  )
  const pages = new Map(apis.map((api, index) => [pathOf(api, index), page(api, apis)]))
  return (ctx, next) => {
    const file = files.get(ctx.path)
    const html = pages.get(ctx.path)
    if (!file && html === undefined) return next()
    if (refusesWriting(ctx)) return Promise.resolve()
    ctx.set({ 'X-Content-Type-Options': 'nosniff', 'Referrer-Policy': 'no-referrer' })
    ctx.set('Cache-Control', file ? 'public, max-age=3600' : 'no-cache')
    ctx.type = file?.type ?? 'html'
    ctx.body = file?.bytes ?? html
    if (!file) ctx.set('Content-Security-Policy', CONTENT_SECURITY_POLICY)
    return Promise.resolve()
  }
}

function pathOf({ name }: DescribedApi, index: number): string {
  return index === 0 ? '/reference' : `/reference/${name.replace(/^CSC /, '').toLowerCase()}`
}

function page(shown: DescribedApi, apis: readonly DescribedApi[]): string {
  const links = apis.map((api, index) => {
    const current = api === shown ? ' aria-current="page"' : ''
    return `<li><a href="${pathOf(api, index)}"${current}>${api.name}</a></li>`
  })
  const [document = ''] = shown.paths
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width">
    <title>${shown.name}: OpenRSSP API reference</title>
    <link rel="icon" href="/assets/logo.png">
    <link rel="stylesheet" href="/reference/swagger-ui.css">
    <link rel="stylesheet" href="/reference/reference.css">
  </head>
  <body>
    <nav aria-label="Documents"><ul>${links.join('')}</ul></nav>
    <noscript><p>This page needs a script. The document is at <a href="${document}">${document}</a>.</p></noscript>
    <main id="reference" data-document="${document}"></main>
    <script src="/reference/swagger-ui.js"></script>
    <script src="/reference/reference.js"></script>
  </body>
</html>
`
}
