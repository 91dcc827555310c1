import type { Config } from '../config/schema.js'

type TokenSettings = Omit<Config['hsm'], 'moreTokens'>

/** The settings of each token; what a further one does not say is as with the first. */
export function tokenSettings({ moreTokens, ...first }: Config['hsm']): TokenSettings[] {
  const { libraryParameters, ...ofAny } = first
  const ofItsLibrary = libraryParameters === undefined ? {} : { libraryParameters }
  const further = moreTokens.map((token) => {
    const isOfSame = token.module === undefined || token.module === first.module
    return { ...ofAny, ...(isOfSame ? ofItsLibrary : {}), ...token }
  })
  return [first, ...further]
}

/** Sessions of all tokens: so many calls may be inside their libraries at once. */
export function sessionsOf(hsm: Config['hsm']): number {
  return tokenSettings(hsm).reduce((sum, { sessions }) => sum + sessions, 0)
}
