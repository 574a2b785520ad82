/** Tells when the account's bill for the month reaches, or is going to reach, what its owner wants to spend. */

import { CfnBudget } from 'aws-cdk-lib/aws-budgets'
import type { Construct } from 'constructs'

/**
 * Over the whole account: AWS counts the costs of one system alone only once its tags are switched on for billing.
 * @see https://docs.aws.amazon.com/cost-management/latest/userguide/budgets-create.html
 */
export function makeBudget(
  scope: Construct,
  { monthlyUsd, email }: { monthlyUsd: number; email: string },
): void {
  const notify = (notificationType: 'ACTUAL' | 'FORECASTED', threshold: number) => ({
    notification: {
      notificationType,
      threshold,
      comparisonOperator: 'GREATER_THAN',
      thresholdType: 'PERCENTAGE',
    },
    subscribers: [{ subscriptionType: 'EMAIL', address: email }],
  })
  new CfnBudget(scope, 'Budget', {
    budget: {
      budgetType: 'COST',
      timeUnit: 'MONTHLY',
      budgetLimit: { amount: monthlyUsd, unit: 'USD' },
    },
    notificationsWithSubscribers: [notify('ACTUAL', 80), notify('ACTUAL', 100), notify('FORECASTED', 100)],
  })
}
