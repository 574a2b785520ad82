/** The only file that talks to SNS: the topic on which events go out. */

import { PublishCommand, SNSClient } from '@aws-sdk/client-sns'

export interface EventsTopic {
  /** @param about for the filter policies of subscriptions: an app's queue takes only what it wants */
  publish(
    message: string,
    about: { type: string; accountId: string; channelId: string | null },
  ): Promise<void>
}

export function openEventsTopic(services: { sns?: SNSClient; topicArn: string }): EventsTopic {
  const { sns = new SNSClient({}), topicArn } = services
  return {
    async publish(message, { type, accountId, channelId }) {
      await sns.send(
        new PublishCommand({
          TopicArn: topicArn,
          Message: message,
          MessageAttributes: {
            type: { DataType: 'String', StringValue: type },
            accountId: { DataType: 'String', StringValue: accountId },
            ...(channelId && { channelId: { DataType: 'String', StringValue: channelId } }),
          },
        }),
      )
    },
  }
}
