import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Context, Middleware } from 'koa'
import { PACKAGE } from '../package-files.js'

const FOLDER = join(PACKAGE, 'openapi')

/** An OpenAPI document: its file, the name people choose it by, and where it is served. */
export interface DescribedApi {
  readonly file: string
  readonly name: string
  readonly paths: readonly string[]
  /** Paths of methods that configuration has off. */
  readonly leftOut?: readonly string[]
}

export const AUTHORIZATION_SERVER: DescribedApi = {
  file: 'oauth.json',
  name: 'OAuth',
  paths: ['/oauth2/openapi.json'],
}

export const VERIFICATION: DescribedApi = {
  file: 'verification.json',
  name: 'Verification',
  paths: ['/verification/openapi.json'],
}

interface Document {
  readonly paths: Readonly<Record<string, object>>
  readonly servers: readonly { readonly url: string }[]
  readonly components: {
    readonly securitySchemes: { readonly oauth2?: { readonly flows: object } }
  }
}

/**
 * Serves the documents of openapi/ with the addresses of this service. They are for everybody: also for
 * pages of other sites, and for the reference, which is of no site.
 */
export function documents(apis: readonly DescribedApi[], baseUrl: string): Middleware {
  const byPath = new Map(
    apis.flatMap((api) => {
      const text = readDocument(api, baseUrl)
      return api.paths.map((path): [string, string] => [path, text])
    }),
  )
  return (ctx, next) => {
    const text = byPath.get(ctx.path)
    if (text === undefined) return next()
    if (refusesWriting(ctx)) return Promise.resolve()
    ctx.set({
      'Access-Control-Allow-Origin': '*',
      'Cache-Control': 'no-cache',
      'X-Content-Type-Options': 'nosniff',
    })
    ctx.type = 'application/json; charset=UTF-8'
    ctx.body = text
    return Promise.resolve()
  }
}

/** What is there can only be read (RFC 9110, 15.5.6). */
export function refusesWriting(ctx: Context): boolean {
  if (ctx.method === 'GET' || ctx.method === 'HEAD') return false
  ctx.status = 405
  ctx.set('Allow', 'GET, HEAD')
  ctx.body = { error: 'invalid_request', error_description: 'Use the GET method.' }
  return true
}

/** The files name paths alone; whoever generates a client from them needs whole addresses. */
function readDocument({ file, leftOut = [] }: DescribedApi, baseUrl: string): string {
  const absolute = (url: string) => new URL(url, baseUrl).href.replace(/\/$/, '')
  const document = JSON.parse(readFileSync(join(FOLDER, file), 'utf8')) as Document
  const { oauth2, ...schemes } = document.components.securitySchemes
  const flows = Object.entries(oauth2?.flows ?? {}).map(([name, flow]) => {
    const members = Object.entries(flow as Record<string, unknown>).map(([key, value]) => [
      key,
      key.endsWith('Url') ? absolute(value as string) : value,
    ])
    return [name, Object.fromEntries(members) as object] as const
  })
  return JSON.stringify({
    ...document,
    paths: Object.fromEntries(
      Object.entries(document.paths).filter(([path]) => !leftOut.includes(path)),
    ),
    servers: document.servers.map((server) => ({ ...server, url: absolute(server.url) })),
    components: {
      ...document.components,
      securitySchemes: {
        ...(oauth2 ? { oauth2: { ...oauth2, flows: Object.fromEntries(flows) as object } } : {}),
        ...schemes,
      },
    },
  })
}
