import { z } from 'zod'
export const providerOverridesSchema = z.record(z.string(), z.looseObject({}))
