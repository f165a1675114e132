"""What other supervisors' files mean to sentinel: text in, processes and a report of every option out."""
