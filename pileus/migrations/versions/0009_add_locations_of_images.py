"""Add locations of images."""

import sqlalchemy as sa
from alembic import op

revision = '0009'
down_revision = '0008'


def upgrade() -> None:
    with op.batch_alter_table('images', schema=None) as batch_op:
        batch_op.add_column(sa.Column('locations', sa.Text(), nullable=False, server_default='[]'))
        batch_op.add_column(sa.Column('importing', sa.Text(), nullable=True))
    # what was staged lay beside what is active; it is staged anew
    op.execute("UPDATE images SET status = 'queued', data = NULL, size = NULL WHERE status IN ('uploading', 'saving')")
    op.execute("""UPDATE images SET locations = '[{"store":"file","key":"' || data || '","metadata":{}}]', data = NULL
                  WHERE data IS NOT NULL""")
    with op.batch_alter_table('images', schema=None) as batch_op:
        batch_op.alter_column('locations', server_default=None)

    # records that are kept for two days: made anew, because the tie to images that goes has no name
    op.drop_table('image_tasks')
    op.create_table('image_tasks',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('image_id', sa.Text(), nullable=False),
    sa.Column('project_id', sa.Text(), nullable=True),
    sa.Column('user_id', sa.Text(), nullable=True),
    sa.Column('request_id', sa.Text(), nullable=False),
    sa.Column('type', sa.Text(), nullable=False),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('input', sa.Text(), nullable=False),
    sa.Column('message', sa.Text(), nullable=False),
    sa.Column('created_at', sa.Text(), nullable=False),
    sa.Column('updated_at', sa.Text(), nullable=False),
    sa.Column('expires_at', sa.Text(), nullable=False),
    sa.Column('result', sa.Text(), nullable=True),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('image_tasks', schema=None) as batch_op:
        batch_op.create_index('ix_image_tasks_image_id', ['image_id'], unique=False)
        batch_op.create_index('ix_image_tasks_expires_at', ['expires_at'], unique=False)


def downgrade() -> None:
    raise NotImplementedError('an image in several stores cannot be told in the older schema')
