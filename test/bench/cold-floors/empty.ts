/** The floor of every cold start: a function that does nothing. */

export const handler = async (): Promise<null> => null
