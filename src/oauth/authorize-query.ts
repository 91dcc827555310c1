import type { Middleware } from 'koa'
import { OAUTH_ROUTES } from './routes.js'

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
