/** Uploads go by themselves after a day, and nothing else of the bucket does. */

import { Template } from 'aws-cdk-lib/assertions'
import { expect, test } from 'vitest'
import { mailKeys } from '../../functions/channel/mail-keys.ts'
import { buildApp } from './synthesized.ts'

test('pages may follow a presigned URL to read, and nothing else', () => {
  const [bucket] = Object.values(Template.fromStack(buildApp().data).findResources('AWS::S3::Bucket'))
  const rules = bucket?.Properties.CorsConfiguration.CorsRules
  expect(rules).toEqual([{ AllowedMethods: ['GET'], AllowedOrigins: ['*'] }])
})

test('what was uploaded goes after a day; no mail ever does', () => {
  const [bucket] = Object.values(Template.fromStack(buildApp().data).findResources('AWS::S3::Bucket'))
  const rules: { Prefix?: string; ExpirationInDays?: number }[] =
    bucket?.Properties.LifecycleConfiguration.Rules
  const ending = rules.filter(rule => rule.ExpirationInDays !== undefined)
  expect(ending).toMatchObject([{ Prefix: expect.any(String), ExpirationInDays: 1 }])
  const prefix = ending[0]?.Prefix ?? ''
  expect(mailKeys.upload('acme', 'up_x').startsWith(prefix)).toBe(true)
  for (const keys of [mailKeys.outbound('uploads/', 'm', 'v'), mailKeys.inbound('uploads', 'm')])
    for (const key of [keys.raw, keys.content, keys.attachment(0)]) expect(key.startsWith(prefix)).toBe(false)
})
