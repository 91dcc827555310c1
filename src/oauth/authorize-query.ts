import type { Middleware } from 'koa'
import { readBody } from '../http/body.js'
import { OAUTH_ROUTES } from './routes.js'

/** In bytes; with the headers of a browser, Node.js reads twice that. */
const LONGEST_QUERY = 8192

/**
 * Applications are answered in the query of their address, errors included: `form_post` would be a page
 * with a script (S47). Given a mode it does not know, the library says so, in the query; given a type that
 * is none of ours but has `token` in it, it would answer in the fragment.
 */
export const answerInQuery: Middleware = (ctx, next) => {
  const { response_mode, response_type } = ctx.query
  if (typeof response_type === 'string' && response_type.includes('token')) {
    ctx.query = { ...ctx.query, response_type: 'unsupported' }
  }
  if (response_mode && response_mode !== 'query') {
    ctx.query = { ...ctx.query, response_mode: 'unsupported' }
  }
  return next()
}

/**
 * A form that a browser posts is asked for by GET like any other request (RFC 6749, 3.1): the cookies of
 * whoever is signed in come along, and there is one way to read it. What is too long for an address is
 * to be pushed.
 */
export const askByGet: Middleware = async (ctx, next) => {
  const isForm = ctx.is('application/x-www-form-urlencoded')
  if (ctx.path !== OAUTH_ROUTES.authorization || ctx.method !== 'POST' || !isForm) {
    await next()
    return
  }
  const form = new URLSearchParams(await readBody(ctx, LONGEST_QUERY))
  ctx.status = 303
  ctx.set({ Location: `?${form.toString()}`, 'Cache-Control': 'no-store' })
}

/**
 * Clients of OpenID Connect send these whatever the scope. Here is no ID token they could be for: they
 * count for what they ask of signing in, or not at all (POSTed and pushed, the library refuses them).
 */
export const withoutOpenId: Middleware = (ctx, next) => {
  if (ctx.path !== OAUTH_ROUTES.authorization || ctx.method !== 'GET') return next()
  const { nonce, acr_values, id_token_hint, max_age, ...query } = ctx.query
  const asksAnew = max_age !== undefined || query['prompt'] === 'select_account'
  const isSilent = query['prompt'] === 'none'
  const isForOpenId = [nonce, acr_values, id_token_hint].some((each) => each !== undefined)
  if (asksAnew && !isSilent) ctx.query = { ...query, prompt: 'login' }
  else if (isForOpenId || asksAnew) ctx.query = query
  return next()
}
